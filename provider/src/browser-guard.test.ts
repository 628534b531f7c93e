import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { test } from 'node:test';
import { browserRefusal } from './browser-guard.js';

const local = { host: '127.0.0.1:8080' };

for (const [why, method, headers, passes] of [
  ['a program', 'POST', local, true],
  ['a program by name', 'DELETE', { host: 'localhost:8080' }, true],
  ['a program by a name under localhost', 'POST', { host: 'postern.localhost' }, true],
  ['a program over IPv6', 'POST', { host: '[::1]:8080' }, true],
  ['a program by another loopback address', 'POST', { host: '127.1.2.3' }, true],
  ['a program by name, however written', 'POST', { host: 'LocalHost:8081' }, true],
  ['a page of this server', 'POST', { ...local, origin: 'http://127.0.0.1:8080', 'sec-fetch-site': 'same-origin' }, true],
  ['a page of this server on the default port', 'POST', { host: 'localhost', origin: 'http://localhost' }, true],
  ['an address typed into the browser', 'GET', { ...local, 'sec-fetch-site': 'none' }, true],
  ['a link on another site, which only reads', 'GET', { ...local, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }, true],
  ['a form on another site', 'POST', { ...local, origin: 'https://evil.example' }, false],
  ['a script on another site', 'DELETE', { ...local, 'sec-fetch-site': 'cross-site' }, false],
  ['a page on another port of this host', 'PUT', { ...local, origin: 'http://127.0.0.1:3000', 'sec-fetch-site': 'same-site' }, false],
  ['a page on another port, in a browser without Sec-Fetch-Site', 'PUT', { ...local, origin: 'http://127.0.0.1:3000' }, false],
  ['a sandboxed page', 'POST', { ...local, origin: 'null' }, false],
  ['a page whose name was rebound to this host', 'GET', { host: 'evil.example:8080', 'sec-fetch-site': 'same-origin' }, false],
  ['a rebound name that begins like a loopback address', 'GET', { host: '127.evil.example' }, false],
  ['a rebound name that ends like localhost', 'GET', { host: 'notlocalhost' }, false],
  ['a request without Host', 'GET', {}, false],
  ['a garbled Host', 'GET', { host: 'localhost:80:80' }, false],
] as const satisfies readonly (readonly [string, string, IncomingHttpHeaders, boolean])[]) {
  test(`${why} ${passes ? 'may pass' : 'is refused'}`, () => {
    assert.equal(browserRefusal({ method, headers, socket: { localAddress: '127.0.0.1' } }) === undefined, passes);
  });
}

for (const [localAddress, passes] of [
  ['127.0.0.2', true], ['::1', true], ['::ffff:127.0.0.1', true], ['10.0.0.7', false], ['::ffff:10.0.0.7', false], ['fd00::1', false], [undefined, false],
] as const) {
  test(`whatever Host says, a connection that came in on ${localAddress} ${passes ? 'may pass' : 'is refused'}`, () => {
    assert.equal(browserRefusal({ method: 'GET', headers: local, socket: { localAddress } }) === undefined, passes);
  });
}
