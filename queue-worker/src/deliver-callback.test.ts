import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Callback, type Delivery, type Outcome, parseCallbackAllow } from '@postern/queue';
import { callbackAgent, systemResolve } from './callback-agent.js';
import { Deadlines } from './deadlines.js';
import { type CallbackContext, deliverCallback } from './deliver-callback.js';
import { endedAtHeader } from './make-callback.js';
import { Receivers } from './receivers.js';
import { deliveryOf, recordingLog, startServer } from './testing/fixtures.js';

const nowMs = 1_795_000_000_000;
const env = { now: () => nowMs, random: () => 1 };
const loopback = parseCallbackAllow(['127.0.0.0/8']);

function callbackTo(url: string, over: Partial<Callback> = {}): Callback {
  return { callId: 'c1', url, headers: [['X-Call-Id', 'c1'], ['Content-Type', 'text/plain'], [endedAtHeader, String(nowMs)]], body: Buffer.from('result'), ...over };
}

/** Delivers with everything real but the clock. */
async function deliver(delivery: Delivery<Callback>, over: Partial<CallbackContext> = {}): Promise<{ outcome: Outcome; lines: Record<string, unknown>[] }> {
  const allow = over.allow ?? loopback;
  const agent = callbackAgent({ allow, resolve: systemResolve, connectTimeoutMs: 10_000 });
  const { log, lines } = recordingLog();
  const context: CallbackContext = {
    agent, allow, log, timeoutMs: 30_000, deadlines: new Deadlines(10), userAgent: 'postern-queue-worker/1.2.3',
    receivers: new Receivers({ maxInFlightPerHost: 10, failuresToPause: 5, minPauseMs: 1_000, maxPauseMs: 300_000 }),
    schedule: { minWaitMs: 1_000, maxWaitMs: 300_000, giveUpAfterMs: 86_400_000 }, ...over,
  };
  try {
    return { outcome: await deliverCallback(delivery, context, env), lines };
  } finally {
    await agent.destroy();
  }
}

test('a receiver gets headers and body as they were kept, by POST, to the URL\'s path and query', async () => {
  const server = await startServer((res) => { res.writeHead(204).end(); });
  try {
    const { outcome } = await deliver(deliveryOf(callbackTo(`${server.url}/hook%2F1?token=s3cret`)));
    assert.deepEqual(outcome, { kind: 'done' });
    const [seen] = server.seen;
    assert.equal(seen?.method, 'POST');
    assert.equal(seen.url, '/hook%2F1?token=s3cret');
    assert.equal(seen.body.toString(), 'result');
    assert.equal(seen.headers['user-agent'], 'postern-queue-worker/1.2.3');
    assert.equal(seen.headers['x-call-id'], 'c1');
    assert.equal(seen.headers['content-type'], 'text/plain');
    assert.equal(seen.headers[endedAtHeader.toLowerCase()], undefined, 'our own note stays here');
  } finally {
    await server.close();
  }
});

test('credentials in the URL are sent as basic authentication, in place of the function\'s own header', async () => {
  const server = await startServer((res) => { res.end(); });
  try {
    const url = server.url.replace('//', '//us%40er:p%3Aw%zz@');
    await deliver(deliveryOf(callbackTo(url, { headers: [['Authorization', 'Bearer function']] })));
    assert.equal(server.seen[0]?.headers.authorization, `Basic ${Buffer.from('us@er:p%3Aw%zz').toString('base64')}`);
  } finally {
    await server.close();
  }
});

test('410 ends the deliveries: a dead letter with its cause', async () => {
  const server = await startServer((res) => { res.writeHead(410).end(); });
  try {
    const { outcome } = await deliver(deliveryOf(callbackTo(server.url), 2));
    assert.ok(outcome.kind === 'dead');
    assert.deepEqual([outcome.cause.code, outcome.cause.status, outcome.cause.attempts], ['gone', 410, 2]);
  } finally {
    await server.close();
  }
});

test('a redirect is not followed; it is a failure, recorded as such, and tried again', async () => {
  const target = await startServer((res) => { res.end(); });
  const server = await startServer((res) => { res.writeHead(307, { Location: target.url }).end(); });
  try {
    const { outcome, lines } = await deliver(deliveryOf(callbackTo(server.url)));
    assert.deepEqual(outcome, { kind: 'retry', delayMs: 1_000 });
    assert.equal(target.seen.length, 0);
    assert.deepEqual(lines.map(({ code, status }) => ({ code, status })), [{ code: 'redirected', status: 307 }]);
  } finally {
    await server.close();
    await target.close();
  }
});

test('500, then 200: tried again, then done; Retry-After is heeded', async () => {
  const server = await startServer((res, _seen, count) => {
    if (count === 1) res.writeHead(500, { 'Retry-After': '90' }).end('sorry');
    else res.end();
  });
  try {
    assert.deepEqual((await deliver(deliveryOf(callbackTo(server.url)))).outcome, { kind: 'retry', delayMs: 90_000 });
    assert.deepEqual((await deliver(deliveryOf(callbackTo(server.url), 2))).outcome, { kind: 'done' });
  } finally {
    await server.close();
  }
});

test('a receiver that hangs is given up at callback_timeout and tried again', async () => {
  const server = await startServer(() => { /* never answers */ });
  try {
    const { outcome, lines } = await deliver(deliveryOf(callbackTo(server.url)), { timeoutMs: 50 });
    assert.equal(outcome.kind, 'retry');
    assert.equal(lines[0]?.['code'], 'timeout');
  } finally {
    await server.close();
  }
});

test('a receiver that refuses is tried again; when the time is up the callback is a dead letter', async () => {
  const server = await startServer((res) => { res.end(); });
  await server.close();
  assert.equal((await deliver(deliveryOf(callbackTo(server.url)))).outcome.kind, 'retry');
  const old = callbackTo(server.url, { headers: [[endedAtHeader, String(nowMs - 86_400_000)]] });
  const { outcome } = await deliver(deliveryOf(old, 400));
  assert.ok(outcome.kind === 'dead' && outcome.cause.code === 'unreachable');
});

test('a callback to a private address is a dead letter at once, and says what to do', async () => {
  const server = await startServer((res) => { res.end(); });
  const nothing = parseCallbackAllow([]);
  try {
    const { outcome } = await deliver(deliveryOf(callbackTo(server.url)), { allow: nothing });
    assert.ok(outcome.kind === 'dead' && outcome.cause.code === 'address_refused');
    assert.match(outcome.cause.message, /callback_allow/);
    assert.equal(server.seen.length, 0);
  } finally {
    await server.close();
  }
});

test('a receiver\'s endless answer does not hold up the delivery', async () => {
  const server = await startServer((res) => {
    const more = (): void => { while (res.write(Buffer.alloc(16_384)) && !res.destroyed); };
    res.on('drain', more);
    more();
  });
  try {
    assert.deepEqual((await deliver(deliveryOf(callbackTo(server.url)))).outcome, { kind: 'done' });
  } finally {
    await server.close();
  }
});

test('over the limit of one host a delivery is held back without a word, and a failing host is left alone', async () => {
  const receivers = new Receivers({ maxInFlightPerHost: 1, failuresToPause: 1, minPauseMs: 5_000, maxPauseMs: 5_000 }, env);
  const server = await startServer((res) => { res.writeHead(503).end(); });
  try {
    const [first, second] = await Promise.all([
      deliver(deliveryOf(callbackTo(server.url)), { receivers }), deliver(deliveryOf(callbackTo(server.url)), { receivers }),
    ]);
    assert.equal(first.outcome.kind, 'retry');
    assert.deepEqual(second, { outcome: { kind: 'retry', delayMs: 200 }, lines: [] });
    assert.deepEqual(await deliver(deliveryOf(callbackTo(server.url)), { receivers }), { outcome: { kind: 'retry', delayMs: 10_000 }, lines: [] });
    assert.equal(server.seen.length, 1);
  } finally {
    await server.close();
  }
});

test('neither a line of the log nor a cause ever holds the URL\'s path or query', async () => {
  const server = await startServer((res) => { res.writeHead(500).end(); });
  try {
    const { lines, outcome } = await deliver(deliveryOf(callbackTo(`${server.url}/s3cret-path?token=s3cret`)));
    assert.ok(!JSON.stringify([lines, outcome]).includes('s3cret'));
  } finally {
    await server.close();
  }
});
