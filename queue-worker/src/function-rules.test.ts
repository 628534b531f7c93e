import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type FunctionRules, readRules } from './function-rules.js';

const defaults: FunctionRules = {
  maxInFlight: 50, retry: { maxAttempts: 10, minWaitMs: 10_000, maxWaitMs: 120_000 }, retryCodes: new Set([429, 503]),
};

test('a function without annotations is treated by the worker\'s settings', () => {
  assert.deepEqual(readRules({}, defaults), { rules: defaults, unread: [] });
});

test('each annotation stands over its setting', () => {
  const { rules, unread } = readRules({
    'postern.max-inflight': '3', 'com.openfaas.retry.attempts': '4', 'com.openfaas.retry.codes': '500, 599',
    'com.openfaas.retry.min_wait': '500ms', 'com.openfaas.retry.max_wait': '2m', 'com.openfaas.queue': 'slow',
  }, defaults);
  assert.deepEqual(rules, { maxInFlight: 3, retry: { maxAttempts: 4, minWaitMs: 500, maxWaitMs: 120_000 }, retryCodes: new Set([500, 599]) });
  assert.deepEqual(unread, []);
});

for (const [annotation, value] of [
  ['postern.max-inflight', '0'], ['postern.max-inflight', 'many'], ['com.openfaas.retry.attempts', '-1'], ['com.openfaas.retry.attempts', '1.5'],
  ['com.openfaas.retry.codes', ''], ['com.openfaas.retry.codes', '4xx'], ['com.openfaas.retry.codes', '429,1000'],
  ['com.openfaas.retry.min_wait', 'soon'], ['com.openfaas.retry.max_wait', '1d'], ['com.openfaas.queue', 'A.b'],
] as const) {
  test(`${annotation} "${value}" cannot be read: the setting applies, and it is named`, () => {
    const { rules, unread } = readRules({ [annotation]: value }, defaults);
    assert.deepEqual(rules, defaults);
    assert.deepEqual(unread.map((each) => [each.annotation, each.value]), [[annotation, value]]);
  });
}

test('no annotations give rules outside their bounds', () => {
  const names = fc.constantFrom('postern.max-inflight', 'com.openfaas.retry.attempts', 'com.openfaas.retry.codes', 'com.openfaas.retry.min_wait', 'com.openfaas.retry.max_wait');
  fc.assert(fc.property(fc.dictionary(names, fc.oneof(fc.string(), fc.integer().map(String))), (annotations) => {
    const { rules: { maxInFlight, retry, retryCodes } } = readRules(annotations, defaults);
    assert.ok(maxInFlight >= 1 && retry.maxAttempts >= 1 && retry.minWaitMs >= 0 && retry.maxWaitMs >= 0 && retryCodes.size > 0);
  }));
});
