/** What the contract promises of stopping, closing and opening again. */
import assert from 'node:assert/strict';
import { QueueUnavailable } from '../errors.js';
import { closedGate, done, echo, eventuallyDepth, publishInOrder, recordingConsumer, sampleCall, type Guarantee } from './contract-fixture.js';

export function lifecycleContract(guarantee: Guarantee): void {
  guarantee('stop finishes what runs, takes nothing new, and may be asked twice', async ({ queue }) => {
    const ids = await publishInOrder(queue, 5);
    const gate = closedGate();
    const consumer = await recordingConsumer(queue, echo, 2, async () => { await gate.opened; return done; });
    await consumer.saw(2);
    const stopped = [consumer.stop(30_000), consumer.stop(30_000)];
    gate.open();
    assert.deepEqual(await Promise.all(stopped), [[], []]);
    assert.equal(consumer.seen.length, 2);
    await eventuallyDepth(queue, echo, 3);

    const next = await recordingConsumer(queue, echo, 1, () => done);
    await next.saw(3);
    assert.deepEqual(next.seen.map(({ id, attempt }) => [id, attempt]), ids.slice(2).map((id) => [id, 1]));
    await next.stop(0);
  });

  guarantee('stop aborts what outlasts its grace; that call is delivered again, whatever its handler still returns', async ({ queue }) => {
    const [id] = await publishInOrder(queue, 1);
    const gate = closedGate();
    let aborted = false;
    const consumer = await recordingConsumer(queue, echo, 1, async ({ signal }) => {
      signal.addEventListener('abort', () => { aborted = true; });
      await gate.opened;
      return done;
    });
    await consumer.saw(1);
    assert.deepEqual(await consumer.stop(20), [id]);
    assert.equal(aborted, true);
    gate.open();
    const next = await recordingConsumer(queue, echo, 1, () => done);
    const [again] = await next.saw(1);
    assert.deepEqual([again?.id, again?.attempt], [id, 2]);
    await eventuallyDepth(queue, echo, 0);
    await next.stop(0);
  });

  guarantee('an aborted call may be taken over by the lane\'s other consumer at once', async ({ queue }) => {
    const gate = closedGate();
    const first = await recordingConsumer(queue, echo, 1, async () => { await gate.opened; return done; });
    const [id] = await publishInOrder(queue, 1);
    await first.saw(1);
    const second = await recordingConsumer(queue, echo, 1, () => done);
    assert.deepEqual(await first.stop(0), [id]);
    const [taken] = await second.saw(1);
    assert.deepEqual([taken?.id, taken?.attempt], [id, 2]);
    gate.open();
    await eventuallyDepth(queue, echo, 0);
    await second.stop(0);
  });

  guarantee('calls never delivered, and calls let go unfinished, are delivered after reopening', async ({ queue, reopen }) => {
    const ids = await publishInOrder(queue, 4);
    const gate = closedGate();
    const consumer = await recordingConsumer(queue, echo, 2, async () => { await gate.opened; return done; });
    await consumer.saw(2);
    assert.deepEqual(new Set(await consumer.stop(0)), new Set(ids.slice(0, 2)));
    gate.open();
    const again = await reopen();
    const next = await recordingConsumer(again, echo, 1, () => done);
    const seen = await next.saw(4);
    assert.deepEqual(new Map(seen.map(({ id, attempt }) => [id, attempt])), new Map(ids.map((id, i) => [id, i < 2 ? 2 : 1])));
    await eventuallyDepth(again, echo, 0);
  });

  guarantee('close finishes what runs and stores its outcome', async ({ queue, reopen }) => {
    await publishInOrder(queue, 1);
    const gate = closedGate();
    const consumer = await recordingConsumer(queue, echo, 1, async () => { await gate.opened; return done; });
    await consumer.saw(1);
    const closed = queue.close();
    gate.open();
    await closed;
    assert.deepEqual(await (await reopen()).stats(), { lanes: [], callbacks: 0, dead: 0 });
  });

  guarantee('close may be asked twice; afterwards nothing is accepted', async ({ queue }) => {
    assert.equal(queue.ready, true);
    await Promise.all([queue.close(), queue.close()]);
    await queue.close();
    assert.equal(queue.ready, false);
    await assert.rejects(queue.publish(sampleCall()), QueueUnavailable);
  });
}
