import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutCredentials } from './redact.js';

for (const [url, shown] of [
  ['nats://127.0.0.1:4222', 'nats://127.0.0.1:4222'],
  ['nats://user:secret@h:4222', 'nats://h:4222'],
  ['nats://a:secret@h1,nats://c:secret@h2', 'nats://h1,nats://h2'],
  ['user:s@cret@h', 'h'],
  ['http://u:secret@provider:8081/base', 'http://provider:8081/base'],
] as const) {
  test(`${url.replaceAll(/secret|s@cret/g, '***')} is shown as ${shown}`, () => { assert.equal(withoutCredentials(url), shown); });
}
