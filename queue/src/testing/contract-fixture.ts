/**
 * What the contract's tests share: sample calls, consumers that write down what they were given, gates to hold a
 * handler at, and polling with a deadline. Not here: any guarantee (contract-*.ts).
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Call, Lane } from '../call.js';
import type { Consumer, Delivery, Queue } from '../queue.js';
import type { Outcome } from '../outcome.js';

/** A queue over a fresh, empty store of its own. */
export interface OpenedQueue {
  readonly queue: Queue;
  /** Closes the queue, unless that has happened, and opens another over the same store. */
  reopen(): Promise<Queue>;
  /** Closes the queue opened last and removes the store. */
  close(): Promise<void>;
}

/** Registers one guarantee; its name is the promise. */
export type Guarantee = (name: string, run: (opened: OpenedQueue) => Promise<void>) => void;

export const done: Outcome = { kind: 'done' };

const deadlineMs = 30_000;

/** Polls until `check` is true; fails, naming `what`, when that takes too long. */
export async function eventually(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + deadlineMs;
  while (!(await check())) {
    if (performance.now() > giveUpAt) assert.fail(`still not so after ${deadlineMs} ms: ${what}`);
    await wait(5);
  }
}

/** A door that handlers wait at until the test opens it. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

export function closedGate(): Gate {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => { open = resolve; });
  return { opened, open };
}

export const echo: Lane = { queue: 'default', namespace: 'openfaas-fn', function: 'echo' };

export function lane(name: string): Lane {
  return { ...echo, function: name };
}

export function sampleCall(change: Partial<Call> = {}): Call {
  return {
    id: randomUUID(),
    lane: echo,
    method: 'POST',
    path: '',
    query: '',
    headers: [['Content-Type', 'text/plain']],
    body: Buffer.from('hello'),
    acceptedNs: `${Date.now()}000001`,
    ...change,
  };
}

/** Publishes one after another, so that their order is known. */
export async function publishInOrder(queue: Queue, count: number, change: Partial<Call> = {}): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    const call = sampleCall(change);
    await queue.publish(call);
    ids.push(call.id);
  }
  return ids;
}

/** One delivery as a consumer saw it, with its body copied: a driver may reuse the memory after settling. */
export interface Seen {
  readonly id: string;
  readonly call: Call;
  readonly attempt: number;
  readonly atMs: number;
}

export interface RecordingConsumer extends Consumer {
  readonly seen: readonly Seen[];
  /** Resolves with the first `count` deliveries. */
  saw(count: number): Promise<readonly Seen[]>;
}

export async function recordingConsumer(
  queue: Queue, from: Lane, maxInFlight: number, handle: (delivery: Delivery<Call>) => Outcome | Promise<Outcome>,
): Promise<RecordingConsumer> {
  const seen: Seen[] = [];
  const consumer = await queue.consume(from, { maxInFlight }, async (delivery) => {
    const call = { ...delivery.item, body: Uint8Array.from(delivery.item.body) };
    seen.push({ id: call.id, call, attempt: delivery.attempt, atMs: performance.now() });
    return handle(delivery);
  });
  return {
    seen,
    saw: async (count) => {
      await eventually(`${count} deliveries`, () => seen.length >= count);
      return seen.slice(0, count);
    },
    setMaxInFlight: (next) => { consumer.setMaxInFlight(next); },
    stop: (graceMs) => consumer.stop(graceMs),
  };
}

export async function depthOf(queue: Queue, of: Lane): Promise<number> {
  const { lanes } = await queue.stats();
  return lanes.find((each) => each.lane.queue === of.queue && each.lane.namespace === of.namespace && each.lane.function === of.function)?.depth ?? 0;
}

/** Settling may be confirmed a moment after the handler returned. */
export function eventuallyDepth(queue: Queue, of: Lane, depth: number): Promise<void> {
  return eventually(`${of.function} holds ${depth} calls`, async () => (await depthOf(queue, of)) === depth);
}
