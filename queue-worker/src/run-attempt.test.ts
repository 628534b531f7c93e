import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call, HeaderList, Outcome } from '@postern/queue';
import { TimedOut, Unreachable } from './errors.js';
import { type Answer, type Invoke, functionHeaders } from './invoke.js';
import { endedAtHeader } from './make-callback.js';
import { runAttempt } from './run-attempt.js';
import { Turns } from './turns.js';
import { deliveryOf, makeCall, recordingLog } from './testing/fixtures.js';

const nowMs = 1_795_000_000_000;
const env = { now: () => nowMs, random: () => 0.5 };
const rules = { maxInFlight: 1, retry: { maxAttempts: 3, minWaitMs: 10_000, maxWaitMs: 120_000 }, retryCodes: new Set([429, 500, 503]) };
const atOnce = { minWaitMs: 1, maxWaitMs: 1 };
const withCallback = makeCall({ callbackUrl: 'https://example.com/hook' });

const answer = (status: number, headers: HeaderList = [], body = 'out'): Answer => ({ status, headers, body: Buffer.from(body) });

function attempt(call: Call, number: number, invoke: Invoke, { maxBodyBytes = 1_000, notRunGiveUpAfterMs = 3_600_000 } = {}): Promise<Outcome> {
  return runAttempt(deliveryOf(call, number), { functionName: 'wordcount', invoke, rules, maxBodyBytes, turns: new Turns(atOnce), notRunGiveUpAfterMs, log: recordingLog().log }, env);
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

test('a call that was refused many times without having run still has all its attempts', async () => {
  const seen: number[] = [];
  const outcome = await attempt(withCallback, 1, async (_call, number) => {
    seen.push(number);
    if (seen.length > 50) return answer(503);
    if (seen.length % 2 === 0) throw new Unreachable('connect ECONNREFUSED', false);
    return answer(429, [['X-OpenFaaS-Internal', 'of-watchdog']]);
  });
  assert.deepEqual(outcome, { kind: 'retry', delayMs: 5_000 });
  assert.deepEqual([seen.length, new Set(seen)], [51, new Set([1])]);
});

test('a call that could not be run for too long is given up, with what refused it as the cause', async () => {
  let tries = 0;
  const outcome = await attempt(withCallback, 1, () => { tries++; return Promise.reject(new Unreachable('connect ECONNREFUSED', false)); }, { notRunGiveUpAfterMs: 20 });
  assert.ok(outcome.kind === 'dead' && outcome.callback);
  assert.deepEqual(outcome.cause, { code: 'unreachable', message: 'connect ECONNREFUSED', attempts: 1 });
  assert.ok(tries > 1);
});

test('a call that waits for room is let go at once when its delivery is', async () => {
  const controller = new AbortController();
  const outcome = await runAttempt(deliveryOf(withCallback, 1, controller.signal), {
    functionName: 'wordcount', rules, maxBodyBytes: 10, turns: new Turns({ minWaitMs: 3_600_000, maxWaitMs: 3_600_000 }), notRunGiveUpAfterMs: 3_600_000, log: recordingLog().log,
    invoke: async () => { setImmediate(() => { controller.abort(); }); return answer(429, [['X-OpenFaaS-Internal', 'of-watchdog']]); },
  }, env);
  assert.deepEqual(outcome, { kind: 'retry', delayMs: 0 });
});

test('a call whose attempts never came to an end is dead without another, as what may have killed its worker', async () => {
  let runs = 0;
  const invoke: Invoke = async () => { runs++; return answer(200); };
  assert.equal((await attempt(withCallback, 6, invoke)).kind, 'done');
  const outcome = await attempt(withCallback, 7, invoke);
  assert.ok(outcome.kind === 'dead' && outcome.callback);
  assert.deepEqual([outcome.cause.code, outcome.cause.attempts, runs], ['worker_died', 7, 1]);
  assert.deepEqual(header(outcome, 'X-Function-Status'), ['503']);
  assert.match(Buffer.from(outcome.callback.body).toString(), /worker_died/);
});

test('a function that is not deployed is dead at once', async () => {
  const body = JSON.stringify({ error: { code: 'function_not_found', message: 'No function wordcount is deployed.' } });
  const outcome = await attempt(withCallback, 1, async () => answer(404, [['X-OpenFaaS-Internal', 'gateway']], body));
  assert.ok(outcome.kind === 'dead');
  assert.deepEqual(outcome.cause, { code: 'function_not_found', message: 'No function wordcount is deployed.', status: 404, attempts: 1 });
});

test('an answer over max_body_bytes is no callback: its call is dead at once, and the callback says so', async () => {
  const outcome = await attempt(withCallback, 1, async () => answer(200, [], 'x'.repeat(11)), { maxBodyBytes: 10 });
  assert.ok(outcome.kind === 'dead' && outcome.callback);
  assert.equal(outcome.cause.code, 'answer_too_large');
  assert.ok(outcome.callback.body.byteLength < 300);
  assert.match(Buffer.from(outcome.callback.body).toString(), /answer_too_large/);
});

test('an answer over max_body_bytes that nobody asked for is an answer like any other', async () => {
  assert.deepEqual(await attempt(makeCall(), 1, async () => answer(200, [], 'x'.repeat(11)), { maxBodyBytes: 10 }), { kind: 'done' });
  assert.equal((await attempt(makeCall(), 1, async () => answer(500, [], 'x'.repeat(11)), { maxBodyBytes: 10 })).kind, 'retry');
});

test('an attempt that was let go decides nothing, whatever its invoke did', async () => {
  const controller = new AbortController();
  const { log, lines } = recordingLog();
  const outcome = await runAttempt(deliveryOf(withCallback, 3, controller.signal), {
    functionName: 'wordcount', rules, maxBodyBytes: 10, turns: new Turns(), notRunGiveUpAfterMs: 0, log,
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
