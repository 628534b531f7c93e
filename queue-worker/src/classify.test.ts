import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { classify, defaultRetryCodes } from './classify.js';
import { AnswerTooLarge, BadCall, TimedOut, Unreachable } from './errors.js';

const codes = new Set(defaultRetryCodes);
const answered = (status: number, headers: readonly (readonly [string, string])[] = [], body = '') =>
  ({ kind: 'answered', answer: { status, headers, body: Buffer.from(body) } }) as const;
const internal = ['x-openfaas-internal', 'gateway'] as const;
const error = (code: string) => JSON.stringify({ error: { code, message: 'm' } });

for (const status of [200, 202, 204, 301, 302, 400, 401, 404, 409, 410, 413, 422, 501, 505]) {
  test(`a function's ${status} is its final word`, () => assert.deepEqual(classify(answered(status), codes), { kind: 'final' }));
}
for (const status of [408, 429, 500, 502, 503, 504]) {
  test(`a function's ${status} is worth another try`, () => {
    assert.deepEqual(classify(answered(status), codes), { kind: 'retryable', reason: { code: 'status', message: `The function answered ${status}.`, status } });
  });
}

test('what the gateway or the watchdog said is worth another try, whatever its status', () => {
  for (const status of [200, 400, 404, 413, 500, 501]) assert.equal(classify(answered(status, [internal]), codes).kind, 'retryable');
  assert.equal(classify(answered(503, [['X-OpenFaaS-Internal', 'of-watchdog']], error('function_not_found')), codes).kind, 'retryable');
});

test('a 429 of the watchdog\'s own means that the function has not run, a function\'s own 429 is a failed attempt', () => {
  assert.equal(classify(answered(429, [['X-OpenFaaS-Internal', 'of-watchdog']], error('busy')), codes).kind, 'not-run');
  assert.equal(classify(answered(429), codes).kind, 'retryable');
});

test('a gateway that does not know yet what is deployed has not run the function', () => {
  assert.equal(classify(answered(503, [internal], error('provider_unavailable')), codes).kind, 'not-run');
  assert.equal(classify(answered(503, [], error('provider_unavailable')), codes).kind, 'retryable');
});

test('a function that is not deployed is hopeless at once, and the gateway\'s words are kept', () => {
  assert.deepEqual(classify(answered(404, [internal], error('function_not_found')), codes),
    { kind: 'hopeless', reason: { code: 'function_not_found', message: 'm', status: 404 } });
});

test('a function\'s own 404 that looks like the gateway\'s is its final word', () => {
  assert.equal(classify(answered(404, [], error('function_not_found')), codes).kind, 'final');
});

test('an answer that is too large and a call that cannot be sent are hopeless, other failures are not', () => {
  assert.equal(classify({ kind: 'failed', error: new AnswerTooLarge(10) }, codes).kind, 'hopeless');
  assert.equal(classify({ kind: 'failed', error: new BadCall('invalid header') }, codes).kind, 'hopeless');
  assert.deepEqual(classify({ kind: 'failed', error: new TimedOut('too late') }, codes), { kind: 'retryable', reason: { code: 'timeout', message: 'too late' } });
  assert.deepEqual(classify({ kind: 'failed', error: new Error('ECONNRESET') }, codes), { kind: 'retryable', reason: { code: 'unreachable', message: 'ECONNRESET' } });
  assert.equal(classify({ kind: 'failed', error: undefined }, codes).kind, 'retryable');
});

test('a gateway that could not be connected to has not run the function, one that broke off may have', () => {
  assert.equal(classify({ kind: 'failed', error: new Unreachable('ECONNREFUSED', false) }, codes).kind, 'not-run');
  assert.equal(classify({ kind: 'failed', error: new Unreachable('ECONNRESET', true) }, codes).kind, 'retryable');
});

test('no body of the gateway\'s makes it throw', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (body) => { classify(answered(500, [internal], body), codes); }));
});
