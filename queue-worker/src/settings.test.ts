import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SettingsError, readSettings } from '@postern/settings';
import { queueWorkerProgramSettings, queueWorkerSettings } from './settings.js';

test('without variables the defaults are OpenFaaS\'s', () => {
  const settings = readSettings(queueWorkerSettings, {});
  assert.equal(settings.max_inflight, 50);
  assert.equal(settings.max_retry_attempts, 10);
  assert.equal(settings.initial_retry_wait, 10_000);
  assert.equal(settings.max_retry_wait, 120_000);
  assert.deepEqual([...settings.retry_http_codes], [408, 429, 500, 502, 503, 504]);
  assert.deepEqual(settings.callback_allow, { everything: false, hosts: new Set(), ranges: [] });
});

test('a wrong one is named with its value and what was expected', () => {
  const env = { retry_http_codes: '4xx', callback_allow: '10.0.0.0/99', max_inflight: '0', gateway_url: 'gateway', ack_wait: '1s' };
  assert.throws(() => readSettings(queueWorkerProgramSettings, env), (error: Error) => {
    assert.ok(error instanceof SettingsError);
    for (const part of [
      'retry_http_codes=4xx: expected HTTP statuses such as 429,503', 'callback_allow=10.0.0.0/99: expected CIDRs, addresses and host names, or *',
      'max_inflight=0: expected a whole number from 1 to 100000', 'gateway_url=gateway: expected an absolute http:// or https:// URL', 'ack_wait=1s: expected a duration from 5s to 5m',
    ]) assert.ok(error.message.includes(part), error.message);
    return true;
  });
});
