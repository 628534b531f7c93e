/** A lease lasts as long as its worker, and no longer. In a file of their own: nothing heavy may hold up the event loop. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { type Call, laneKey } from '../call.js';
import { done, echo, eventuallyDepth, publishInOrder, recordingConsumer } from '../testing/contract-fixture.js';
import { open, startServer } from '../testing/jetstream-fixture.js';

const leaseMs = 1_500;

describe('a lease on JetStream', { concurrency: true }, () => {
  test('a handler that takes three leases runs once, though another queue has room', async (t) => {
    const server = await startServer(t);
    const queue = await open(t, { url: server.url, leaseMs });
    const other = await open(t, { url: server.url, leaseMs });
    const seen: string[] = [];
    const handle = async ({ item }: { item: Call }): Promise<typeof done> => {
      seen.push(item.id);
      await wait(3 * leaseMs); // the function's own time
      return done;
    };
    for (const each of [queue, other]) await each.consume(echo, { maxInFlight: 2 }, handle);
    const [id] = await publishInOrder(queue, 1);
    await eventuallyDepth(queue, echo, 0);
    assert.deepEqual(seen, [id]);
  });

  test('the call of a worker that is killed goes to another once its lease has ended', async (t) => {
    const server = await startServer(t);
    const queue = await open(t, { url: server.url, leaseMs });
    const [id] = await publishInOrder(queue, 1);
    const worker = spawn(process.execPath, [join(import.meta.dirname, '../testing/hanging-worker.js'), server.url, laneKey(echo), String(leaseMs)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => { worker.kill('SIGKILL'); });
    const [line] = await once(worker.stdout, 'data');
    assert.equal(String(line).trim(), id);
    const consumer = await recordingConsumer(queue, echo, 1, () => done);
    worker.kill('SIGKILL');
    const [taken] = await consumer.saw(1);
    assert.equal(taken?.id, id);
    assert.ok(taken && taken.attempt >= 2);
    await eventuallyDepth(queue, echo, 0);
  });
});
