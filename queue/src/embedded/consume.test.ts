/** What holds while the store cannot be written, and between fresh calls and those tried again. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import type { Call } from '../call.js';
import { decodeHeaderBlock, readCall } from '../call-codec.js';
import { QueueUnavailable } from '../errors.js';
import type { Outcome } from '../outcome.js';
import { closedGate, done, echo, eventually, sampleCall } from '../testing/contract-fixture.js';
import { Dispatcher } from './consume.js';
import { Lanes } from './lanes.js';
import { Publisher } from './publish.js';
import { Settlement } from './settle.js';
import { Store } from './store.js';

/** LMDB as it is on a full disk, when told so. */
class FillableStore extends Store {
  full = false;
  refusals = 0;

  override durable(write: () => void): Promise<void> {
    if (!this.full) return super.durable(write);
    this.refusals++;
    return Promise.reject(new QueueUnavailable('full'));
  }
}

function openLane(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'postern-consume-'));
  const store = new FillableStore(folder);
  const lanes = new Lanes(store, Date.now());
  const lane = lanes.of(echo);
  const publisher = new Publisher(store, lanes, { maxBodyBytes: 1_000_000, maxBytes: Infinity });
  const dispatcher = new Dispatcher<Call>({
    store, lane, settlement: new Settlement(store, lanes, Date.now), log: pino({ level: 'silent' }), now: Date.now,
    read: (head, body) => readCall(echo, decodeHeaderBlock(head), body), callIdOf: ({ id }) => id, settleMs: 200,
  });
  t.after(async () => {
    await dispatcher.close();
    await store.close();
    rmSync(folder, { recursive: true });
  });
  return { store, publisher, dispatcher, lane };
}

test('a call whose retry could not be taken when its consumer stopped is run once, not twice', async (t) => {
  const { store, publisher, dispatcher, lane } = openLane(t);
  let attempts = 0;
  const before = dispatcher.consume({ maxInFlight: 2 }, async (): Promise<Outcome> => {
    attempts++;
    store.full = false;
    return { kind: 'retry', delayMs: 100 };
  });
  await publisher.publish(sampleCall());
  await eventually('the call waits for its next try', () => attempts === 1 && [...store.waiting(lane.id)].length === 1);
  // From here on the next try is taken, and that cannot be written, until the consumer lets go.
  const release = closedGate();
  store.durable = () => release.opened.then(() => { throw new QueueUnavailable('full'); });
  let asked = 0;
  const failing = store.durable;
  store.durable = (write) => { asked++; return failing(write); };
  await eventually('the next try is being taken', () => asked === 1);
  const stopped = before.stop(0);
  await eventually('the consumer lets go', () => asked === 2);
  Reflect.deleteProperty(store, 'durable');
  release.open();
  await stopped;
  let running = 0;
  let most = 0;
  const runs: number[] = [];
  const gate = closedGate();
  dispatcher.consume({ maxInFlight: 4 }, async ({ attempt }) => {
    runs.push(attempt);
    most = Math.max(most, ++running);
    await gate.opened;
    running--;
    return done;
  });
  await eventually('the call runs', () => running > 0);
  gate.open();
  await eventually('the call is gone', () => lane.depth === 0);
  assert.deepEqual([runs.length, most, [...store.waiting(lane.id)].length], [1, 1, 0]);
});

test('stopping ends on a disk that stays full, and names the calls whose outcome is not stored', async (t) => {
  const { store, publisher, dispatcher } = openLane(t);
  const gate = closedGate();
  const call = sampleCall();
  let started = 0;
  const consumer = dispatcher.consume({ maxInFlight: 2 }, async () => {
    started++;
    await gate.opened;
    return done;
  });
  await publisher.publish(call);
  await eventually('the call runs', () => started === 1);
  store.full = true;
  gate.open();
  await eventually('its outcome is refused', () => store.refusals > 0);
  assert.deepEqual(await consumer.stop(0), [call.id]);
});

test('calls that are always due again leave every other slot to fresh ones', async (t) => {
  const { publisher, dispatcher } = openLane(t);
  const again = Array.from({ length: 20 }, () => sampleCall());
  const ids = new Set(again.map(({ id }) => id));
  for (const call of again) await publisher.publish(call);
  const fresh = Array.from({ length: 20 }, () => sampleCall());
  let tries = 0;
  let answered = 0;
  const consumer = dispatcher.consume({ maxInFlight: 1 }, async ({ item, attempt }): Promise<Outcome> => {
    if (!ids.has(item.id)) { answered++; return done; }
    if (attempt === 1 && item.id === again.at(-1)?.id) for (const call of fresh) await publisher.publish(call);
    if (answered < 20) tries++;
    return { kind: 'retry', delayMs: 0 };
  });
  await eventually('the fresh calls are answered', () => answered === 20);
  assert.ok(tries >= 30, `${tries} tries went on meanwhile`);
  await consumer.stop(0);
});
