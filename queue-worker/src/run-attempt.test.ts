import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call, HeaderList, Outcome } from '@postern/queue';
import { TimedOut } from './errors.js';
import { type Answer, type Invoke, functionHeaders } from './invoke.js';
import { endedAtHeader } from './make-callback.js';
import { runAttempt } from './run-attempt.js';
import { deliveryOf, makeCall, recordingLog } from './testing/fixtures.js';

const nowMs = 1_795_000_000_000;
const env = { now: () => nowMs, random: () => 0.5 };
const rules = { maxInFlight: 1, retry: { maxAttempts: 3, minWaitMs: 10_000, maxWaitMs: 120_000 }, retryCodes: new Set([429, 500, 503]) };
const withCallback = makeCall({ callbackUrl: 'https://example.com/hook' });

const answer = (status: number, headers: HeaderList = [], body = 'out'): Answer => ({ status, headers, body: Buffer.from(body) });

function attempt(call: Call, number: number, invoke: Invoke, maxBodyBytes = 1_000): Promise<Outcome> {
  return runAttempt(deliveryOf(call, number), { functionName: 'wordcount', invoke, rules, maxBodyBytes, notRunGiveUpAfterMs: 3_600_000, log: recordingLog().log }, env);
}

function header(outcome: Outcome, name: string): readonly string[] {
  assert.ok(outcome.kind !== 'retry');
  return (outcome.callback?.headers ?? []).filter(([each]) => each.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
}

test('a function that answered is done, without a callback when none was asked for', async () => {
  assert.deepEqual(await attempt(makeCall(), 1, async () => answer(200)), { kind: 'done' });
  assert.deepEqual(await attempt(makeCall(), 1, async () => answer(400)), { kind: 'done' });
});

test('its callback carries the answer to the byte and OpenFaaS\'s headers, each once', async () => {
  const headers: HeaderList = [
    ['Content-Type', 'application/pdf'], ['X-Own', 'a'], ['X-Own', 'b'], ['X-Duration-Seconds', '9'], ['X-Call-Id', 'spoofed'],
    ['Connection', 'keep-alive, X-Hop'], ['X-Hop', '1'], ['Keep-Alive', 'timeout=5'], ['Transfer-Encoding', 'chunked'], ['Content-Length', '3'],
    ['Host', 'evil.example'], [endedAtHeader, '0'],
  ];
  const outcome = await attempt(withCallback, 2, async () => answer(404, headers));
  assert.ok(outcome.kind === 'done' && outcome.callback);
  assert.equal(outcome.callback.url, 'https://example.com/hook');
  assert.equal(Buffer.from(outcome.callback.body).toString(), 'out');
  assert.deepEqual(outcome.callback.headers.map(([name]) => name), [
    'Content-Type', 'X-Own', 'X-Own', 'X-Duration-Seconds', 'X-Function-Status', 'X-Function-Name', 'X-Call-Id', 'X-Retry', 'X-Retry-Max', endedAtHeader,
  ]);
  assert.match(header(outcome, 'X-Duration-Seconds')[0] ?? '', /^\d+\.\d{6}$/);
  assert.deepEqual(header(outcome, 'X-Function-Status'), ['404']);
  assert.deepEqual(header(outcome, 'X-Function-Name'), ['wordcount']);
  assert.deepEqual(header(outcome, 'X-Call-Id'), [withCallback.id]);
  assert.deepEqual([...header(outcome, 'X-Retry'), ...header(outcome, 'X-Retry-Max')], ['1', '2']);
  assert.deepEqual(header(outcome, endedAtHeader), [String(nowMs)]);
});

test('a failing function is tried again by the policy, without a callback', async () => {
  assert.deepEqual(await attempt(withCallback, 1, async () => answer(500)), { kind: 'retry', delayMs: 5_000 });
  assert.deepEqual(await attempt(withCallback, 2, async () => answer(429, [['retry-after', '60']])), { kind: 'retry', delayMs: 60_000 });
  assert.deepEqual(await attempt(withCallback, 1, () => Promise.reject(new Error('ECONNREFUSED'))), { kind: 'retry', delayMs: 5_000 });
});

test('after the last attempt it is dead with its cause, and the last answer is still posted', async () => {
  const outcome = await attempt(withCallback, 3, async () => answer(503, [], 'still down'));
  assert.ok(outcome.kind === 'dead' && outcome.callback);
  assert.deepEqual(outcome.cause, { code: 'status', message: 'The function answered 503.', status: 503, attempts: 3 });
  assert.equal(Buffer.from(outcome.callback.body).toString(), 'still down');
  assert.deepEqual([...header(outcome, 'X-Function-Status'), ...header(outcome, 'X-Retry'), ...header(outcome, 'X-Retry-Max')], ['503', '2', '2']);
});

test('a call that was never answered is dead with a callback that says so', async () => {
  const outcome = await attempt(withCallback, 3, () => Promise.reject(new TimedOut('No answer within upstream_timeout (60000 ms).')));
  assert.ok(outcome.kind === 'dead' && outcome.callback);
  assert.equal(outcome.cause.code, 'timeout');
  assert.deepEqual(header(outcome, 'X-Function-Status'), ['504']);
  assert.deepEqual(JSON.parse(Buffer.from(outcome.callback.body).toString()),
    { error: { code: 'timeout', message: 'No answer within upstream_timeout (60000 ms).' } });
});

test('a call that meets full replicas costs no attempts; it is given up when it has waited too long', async () => {
  const busy = () => Promise.resolve(answer(429, [['X-OpenFaaS-Internal', 'of-watchdog'], ['Retry-After', '15']]));
  assert.deepEqual(await attempt(withCallback, 99, busy), { kind: 'retry', delayMs: 15_000 });
  const old = makeCall({ acceptedNs: `${nowMs - 3_600_000}000000` });
  assert.equal((await attempt(old, 3, busy)).kind, 'dead');
  assert.equal((await attempt(old, 2, busy)).kind, 'retry', 'a call that waited long in the queue still has its attempts');
});

test('a function that is not deployed is dead at once', async () => {
  const body = JSON.stringify({ error: { code: 'function_not_found', message: 'No function wordcount is deployed.' } });
  const outcome = await attempt(withCallback, 1, async () => answer(404, [['X-OpenFaaS-Internal', 'gateway']], body));
  assert.ok(outcome.kind === 'dead');
  assert.deepEqual(outcome.cause, { code: 'function_not_found', message: 'No function wordcount is deployed.', status: 404, attempts: 1 });
});

test('an answer over max_body_bytes is dead at once, and its callback says so', async () => {
  const outcome = await attempt(withCallback, 1, async () => answer(200, [], 'x'.repeat(11)), 10);
  assert.ok(outcome.kind === 'dead' && outcome.callback);
  assert.equal(outcome.cause.code, 'answer_too_large');
  assert.ok(outcome.callback.body.byteLength < 300);
  assert.match(Buffer.from(outcome.callback.body).toString(), /answer_too_large/);
});

test('an attempt that was let go decides nothing, whatever its invoke did', async () => {
  const controller = new AbortController();
  const { log, lines } = recordingLog();
  const outcome = await runAttempt(deliveryOf(withCallback, 3, controller.signal), {
    functionName: 'wordcount', rules, maxBodyBytes: 10, notRunGiveUpAfterMs: 0, log,
    invoke: async () => { controller.abort(); return answer(200); },
  }, env);
  assert.deepEqual(outcome, { kind: 'retry', delayMs: 0 });
  assert.deepEqual(lines.map(({ msg }) => msg), ['attempt let go']);
});

test('no answer and no thrown thing makes it throw', async () => {
  for (const thrown of [undefined, null, 'text', { code: 1 }, new Error('x')]) {
    // A cast, because the lint knows that only errors should be thrown; other code may not.
    assert.equal((await attempt(withCallback, 1, () => Promise.reject(thrown as Error))).kind, 'retry');
  }
});

test('the function is told of its call: id, attempt, start and callback; the caller\'s own headers stay', () => {
  const call = makeCall({
    callbackUrl: 'https://example.com/hook',
    headers: [['User-Agent', 'curl/8'], ['X-Attempt', '99'], ['x-call-id', 'spoofed'], ['Accept', 'a'], ['Accept', 'b'], ['Content-Length', '3'], ['Expect', '100-continue']],
  });
  assert.deepEqual(functionHeaders(call, 4), [
    'User-Agent', 'curl/8', 'Accept', 'a', 'Accept', 'b',
    'X-Call-Id', call.id, 'X-Attempt', '4', 'X-Start-Time', call.acceptedNs, 'X-Callback-Url', 'https://example.com/hook',
  ]);
});
