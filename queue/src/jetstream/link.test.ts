import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseServers } from './link.js';

for (const [url, expected, promise] of [
  ['nats://127.0.0.1:4222', { servers: ['nats://127.0.0.1:4222'] }, 'a URL names a server'],
  ['nats://a:4222, b:4223', { servers: ['nats://a:4222', 'b:4223'] }, 'several are separated by commas'],
  ['nats://me:p%40ss@a:4222', { servers: ['nats://a:4222'], user: 'me', pass: 'p@ss' }, 'user and password are taken from the URL'],
  ['nats://s3cret@a', { servers: ['nats://a'], token: 's3cret' }, 'a token is taken from the URL'],
  ['tls://a:4222', { servers: ['tls://a:4222'], tls: {} }, 'tls:// is never plain'],
] as const) {
  test(promise, () => { assert.deepEqual(parseServers(url), expected); });
}
