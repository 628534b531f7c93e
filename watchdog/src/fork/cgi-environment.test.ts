import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cgiEnvironment } from './cgi-environment.js';

test('headers become variables under the names of of-watchdog, all values of a repeated one joined', () => {
  const environment = cgiEnvironment({ method: 'POST', url: '/a/b?x=1&y=?', rawHeaders: ['x-call-id', 'c', 'Accept', 'a/b', 'ACCEPT', 'c/d', 'Transfer-Encoding', 'chunked'] });
  assert.deepEqual(environment, {
    Http_X_Call_Id: 'c', Http_Accept: 'a/b, c/d', Http_Transfer_Encoding: 'chunked',
    Http_Method: 'POST', Http_Path: '/a/b', Http_Query: 'x=1&y=?',
  });
});

test('no header passes for the request\'s method, path or query', () => {
  const environment = cgiEnvironment({ method: 'GET', url: '/', rawHeaders: ['Method', 'PUT', 'Path', '/admin', 'Query', 'q'] });
  assert.deepEqual(environment, { Http_Method: 'GET', Http_Path: '/' });
});

test('no header names the proxy that the function\'s own requests go through', () => {
  const rawHeaders = ['Proxy', 'http://evil', 'PROXY', 'http://evil', 'X-Proxy', 'http://evil', 'no_proxy', '*', 'Proxy-Authorization', 'kept', 'Xproxy', 'kept'];
  assert.deepEqual(cgiEnvironment({ method: 'GET', url: '/', rawHeaders }), {
    Http_Method: 'GET', Http_Path: '/', Http_Proxy_Authorization: 'kept', Http_Xproxy: 'kept',
  });
});
