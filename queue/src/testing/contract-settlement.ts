/** What the contract promises once a handler has answered: done, retry, dead, their callbacks, and their counts. */
import assert from 'node:assert/strict';
import type { Callback } from '../call.js';
import { decodeHeaderBlock, encodeCallbackHeaders, encodeCallHeaders } from '../call-codec.js';
import type { Cause, Outcome } from '../outcome.js';
import {
  closedGate, done, echo, eventually, eventuallyDepth, lane, publishInOrder, recordingConsumer, sampleCall, type Guarantee } from './contract-fixture.js';

const cause: Cause = { code: 'status', message: 'The function answered 400.', status: 400, attempts: 3 };

function callbackFor(callId: string): Callback {
  return {
    callId,
    url: 'https://example.com/hook?a=1&b=%20',
    headers: [['Content-Type', 'application/json'], ['X-Call-Id', callId], ['Set-Cookie', 'a=1'], ['Set-Cookie', 'b=\u00e9']],
    body: Buffer.from([0, 1, 2, 0xff, 0x0d, 0x0a, 0x0d, 0x0a]),
  };
}

/** Two clocks and their rounding lie between an answer and the redelivery. */
const roundingMs = 5;

export function settlementContract(guarantee: Guarantee): void {
  guarantee('a settled call is gone, also after reopening', async ({ queue, reopen }) => {
    await publishInOrder(queue, 10);
    const consumer = await recordingConsumer(queue, echo, 3, () => done);
    await consumer.saw(10);
    await eventuallyDepth(queue, echo, 0);
    await consumer.stop(0);
    const again = await reopen();
    const [only] = await publishInOrder(again, 1);
    const second = await recordingConsumer(again, echo, 3, () => done);
    const [first] = await second.saw(1);
    assert.equal(first?.id, only);
    await eventuallyDepth(again, echo, 0);
    assert.equal(second.seen.length, 1);
  });

  guarantee('a retry comes no sooner than its delay, one attempt up, and the call is unchanged', async ({ queue }) => {
    let answeredMs = 0;
    const call = sampleCall({ path: '/a%2Fb', query: 'x=1', callbackUrl: 'https://example.com/hook' });
    const consumer = await recordingConsumer(queue, echo, 1, ({ attempt }) => {
      if (attempt === 2) return done;
      answeredMs = performance.now();
      return { kind: 'retry', delayMs: 300 };
    });
    await queue.publish(call);
    const [first, second] = await consumer.saw(2);
    assert.deepEqual([first?.attempt, second?.attempt], [1, 2]);
    assert.deepEqual(second?.call, { ...call, body: Uint8Array.from(call.body) });
    assert.ok(second && second.atMs - answeredMs >= 300 - roundingMs, `${(second?.atMs ?? 0) - answeredMs} ms`);
    await eventuallyDepth(queue, echo, 0);
    await consumer.stop(0);
  });

  guarantee('attempts go on counting from one retry to the next', async ({ queue }) => {
    await queue.publish(sampleCall());
    const consumer = await recordingConsumer(queue, echo, 1, ({ attempt }) => (attempt === 5 ? done : { kind: 'retry', delayMs: 0 }));
    const seen = await consumer.saw(5);
    assert.deepEqual(seen.map(({ attempt }) => attempt), [1, 2, 3, 4, 5]);
    await eventuallyDepth(queue, echo, 0);
    await consumer.stop(0);
  });

  guarantee('1,000 calls waiting for their next try hold up nothing and stay counted', async ({ queue }) => {
    const patient = sampleCall();
    const consumer = await recordingConsumer(queue, echo, 20, ({ item }): Outcome => (item.id === patient.id ? done : { kind: 'retry', delayMs: 600_000 }));
    await Promise.all(Array.from({ length: 1_000 }, () => queue.publish(sampleCall())));
    await consumer.saw(1_000);
    await queue.publish(patient);
    const seen = await consumer.saw(1_001);
    assert.equal(seen.at(-1)?.id, patient.id);
    await eventuallyDepth(queue, echo, 1_000);
    assert.equal(consumer.seen.length, 1_001);
    await consumer.stop(0);
  });

  guarantee('a call waiting for its next try survives reopening', async ({ queue, reopen }) => {
    const [id] = await publishInOrder(queue, 1);
    let answeredMs = 0;
    const before = await recordingConsumer(queue, echo, 1, () => {
      answeredMs = performance.now();
      return { kind: 'retry', delayMs: 1_500 };
    });
    await before.saw(1);
    await before.stop(10_000);
    const again = await reopen();
    await eventuallyDepth(again, echo, 1);
    const consumer = await recordingConsumer(again, echo, 1, () => done);
    const [second] = await consumer.saw(1);
    assert.deepEqual([second?.id, second?.attempt], [id, 2]);
    assert.ok(second && second.atMs - answeredMs >= 1_500 - roundingMs);
    await eventuallyDepth(again, echo, 0);
  });

  guarantee('a handler that throws costs an attempt, not the call, and holds up no other', async ({ queue }) => {
    const [bad, good] = [sampleCall(), sampleCall()];
    const consumer = await recordingConsumer(queue, echo, 1, ({ item, attempt }) => {
      if (item.id === bad.id && attempt === 1) throw new Error('a defect in the handler');
      return done;
    });
    await queue.publish(bad);
    await queue.publish(good);
    const seen = await consumer.saw(3);
    assert.deepEqual(seen.filter(({ id }) => id === bad.id).map(({ attempt }) => attempt), [1, 2]);
    await eventuallyDepth(queue, echo, 0);
    await consumer.stop(0);
  });

  guarantee('a dead letter is kept with its cause, headers and body, newest first, and is delivered no more', async ({ queue, reopen }) => {
    const calls = ['one', 'two', 'three'].map((word) => sampleCall({ body: Buffer.from(word), headers: [['X-Word', word], ['X-Word', 'again']] }));
    const consumer = await recordingConsumer(queue, echo, 1, () => ({ kind: 'dead', cause }));
    const beforeMs = Date.now();
    for (const call of calls) await queue.publish(call);
    await consumer.saw(3);
    await eventuallyDepth(queue, echo, 0);
    await consumer.stop(0);

    const again = await reopen();
    assert.deepEqual(await again.stats(), { lanes: [], callbacks: 0, dead: 3 });
    const letters = await again.deadLetters(2);
    assert.deepEqual(letters.map(({ callId }) => callId), [calls[2]?.id, calls[1]?.id]);
    const newest = letters[0];
    assert.equal(newest?.lane, 'default.openfaas-fn.echo');
    assert.deepEqual(newest?.cause, cause);
    const newestCall = calls[2];
    assert.ok(newestCall);
    assert.deepEqual(newest?.headers, decodeHeaderBlock(encodeCallHeaders(newestCall)));
    assert.equal(Buffer.from(newest?.body ?? []).toString(), 'three');
    assert.ok(newest && newest.diedAtMs >= beforeMs - 1_000 && newest.diedAtMs <= Date.now() + 1_000);
    assert.equal((await again.deadLetters(10)).length, 3);
  });

  for (const kind of ['done', 'dead'] as const) {
    guarantee(`a call that ends ${kind} with a callback leaves the callback, as it was, and is gone`, async ({ queue, reopen }) => {
      const call = sampleCall();
      const callback = callbackFor(call.id);
      await queue.publish(call);
      const consumer = await recordingConsumer(queue, echo, 1, () => (kind === 'done' ? { kind, callback } : { kind, cause, callback }));
      await eventuallyDepth(queue, echo, 0);
      await consumer.stop(0);
      assert.equal((await queue.stats()).callbacks, 1);

      const again = await reopen();
      const seen: { callback: Callback; attempt: number }[] = [];
      await again.consumeCallbacks({ maxInFlight: 2 }, async ({ item, attempt }) => {
        seen.push({ callback: { ...item, body: Uint8Array.from(item.body) }, attempt });
        return done;
      });
      await eventually('the callback is delivered', () => seen.length > 0);
      assert.deepEqual(seen[0], { callback: { ...callback, body: Uint8Array.from(callback.body) }, attempt: 1 });
      await eventually('the callback is settled', async () => (await again.stats()).callbacks === 0);
      assert.equal(seen.length, 1);
      assert.equal((await again.stats()).dead, kind === 'dead' ? 1 : 0);
    });
  }

  guarantee('a callback is retried and given up like a call, apart from every function', async ({ queue }) => {
    const call = sampleCall();
    await queue.publish(call);
    const consumer = await recordingConsumer(queue, echo, 1, () => ({ kind: 'done', callback: callbackFor(call.id) }));
    const attempts: number[] = [];
    const callbacks = await queue.consumeCallbacks({ maxInFlight: 1 }, async ({ attempt }) => {
      attempts.push(attempt);
      return attempt < 3 ? { kind: 'retry', delayMs: 20 } : { kind: 'dead', cause };
    });
    await eventually('the callback is a dead letter', async () => (await queue.stats()).dead === 1);
    assert.deepEqual(attempts, [1, 2, 3]);
    assert.equal(consumer.seen.length, 1);
    await eventually('the callback is gone', async () => (await queue.stats()).callbacks === 0);
    const [letter] = await queue.deadLetters(10);
    assert.deepEqual([letter?.callId, letter?.lane, letter?.cause], [call.id, 'callback', cause]);
    assert.deepEqual(letter?.headers, decodeHeaderBlock(encodeCallbackHeaders(callbackFor(call.id))));
    assert.deepEqual(Buffer.from(letter?.body ?? []), callbackFor(call.id).body);
    await Promise.all([consumer.stop(0), callbacks.stop(0)]);
  });

  guarantee('depth counts what waits, what runs and what waits for its next try', async ({ queue }) => {
    const gate = closedGate();
    const [busy, quiet] = [lane('busy'), lane('quiet')];
    const [, held] = [await publishInOrder(queue, 4, { lane: quiet }), await publishInOrder(queue, 5, { lane: busy })];
    const consumer = await recordingConsumer(queue, busy, 1, async ({ item }): Promise<Outcome> => {
      if (item.id === held[0]) return done;
      if (item.id === held[1]) return { kind: 'retry', delayMs: 600_000 };
      await gate.opened;
      return done;
    });
    await consumer.saw(3);
    await eventuallyDepth(queue, busy, 4);
    const { lanes, callbacks, dead } = await queue.stats();
    const depths = lanes.map((each) => [each.lane.function, each.depth]);
    assert.deepEqual(new Map(depths.map(([name, depth]) => [name, depth])), new Map([['busy', 4], ['quiet', 4]]));
    assert.deepEqual([depths.length, callbacks, dead], [2, 0, 0]);
    gate.open();
    await eventuallyDepth(queue, busy, 1);
    await consumer.stop(0);
  });
}
