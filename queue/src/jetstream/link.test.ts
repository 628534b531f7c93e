import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QueueMisconfigured } from '../errors.js';
import { parseServers } from './link.js';

for (const [url, expected, promise] of [
  ['nats://127.0.0.1:4222', { servers: ['nats://127.0.0.1:4222'] }, 'a URL names a server'],
  ['nats://a:4222, b:4223', { servers: ['nats://a:4222', 'b:4223'] }, 'several are separated by commas'],
  ['nats://me:p%40ss@a:4222', { servers: ['nats://a:4222'], user: 'me', pass: 'p@ss' }, 'user and password are taken from the URL'],
  ['nats://s3cret@a', { servers: ['nats://a'], token: 's3cret' }, 'a token is taken from the URL'],
  ['nats://me:a:b@a', { servers: ['nats://a'], user: 'me', pass: 'a:b' }, 'a password may hold colons'],
  ['nats://me:x@a,nats://me:x@b,c', { servers: ['nats://a', 'nats://b', 'c'], user: 'me', pass: 'x' }, 'one user and password are for all servers'],
  ['nats://a,tls://b', { servers: ['nats://a', 'tls://b'], tls: {} }, 'tls:// anywhere is TLS everywhere'],
  ['tls://a:4222', { servers: ['tls://a:4222'], tls: {} }, 'tls:// is never plain'],
] as const) {
  test(promise, () => { assert.deepEqual(parseServers(url), expected); });
}

for (const [url, promise] of [
  ['nats://me:100%@a', 'a % that encodes nothing is refused'],
  ['nats://me:100%@a,nats://you:100%@b', 'so are several'],
  ['nats://me:s3cret@a,nats://me:other@b', 'servers with differing passwords are refused'],
  ['nats://s3cret@a,nats://me:s3cret@b', 'a token beside a password is refused'],
  ['', 'no server is refused'],
  ['nats://a,,b', 'a server without a name is refused'],
] as const) {
  test(`${promise}, and nothing secret is told`, () => {
    assert.throws(() => parseServers(url), (err) => err instanceof QueueMisconfigured && !/100%|s3cret|other/.test(err.message));
  });
}
