/**
 * One lane's deliveries: fills its consumers' free slots, hands calls out, settles what comes back.
 *
 *     picked ──take on disk──▶ running ──outcome──▶ settling on disk ──▶ gone, or waiting for its next try
 *                                 └──stop, grace over──▶ let go: due again at once
 *
 * A slot is free again when its handler has answered, so that the outcomes of one turn and the next calls taken share
 * one transaction. Nothing between taking and settling may throw past it: a defect costs an attempt, a full disk costs
 * waiting, and neither costs the call. Not here: which calls are next (pick.ts), what is written (settle.ts).
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { QueueUnavailable } from '../errors.js';
import type { Outcome } from '../outcome.js';
import type { Consumer, ConsumeOptions, Delivery } from '../queue.js';
import type { LaneState } from './lanes.js';
import { callKey, splitParts } from './layout.js';
import { Picker } from './pick.js';
import type { Settlement, Taken } from './settle.js';
import type { Store } from './store.js';

/** Before a store that failed is tried again, and before a call whose handler threw is. */
const pauseMs = 1_000;
const longestTimerMs = 2 ** 31 - 1;

type Handle<Item> = (delivery: Delivery<Item>) => Promise<Outcome>;

export interface DispatcherParts<Item> {
  readonly store: Store;
  readonly settlement: Settlement;
  readonly lane: LaneState;
  readonly log: Logger;
  readonly now: () => number;
  readonly read: (head: Buffer, body: Buffer) => Item;
  readonly callIdOf: (item: Item) => string;
  /** How long a stop waits, after its grace, for what has ended to be on disk. */
  readonly settleMs: number;
}

/** A taken call on its way to being settled. */
class Running<Item> implements Delivery<Item> {
  readonly taken: Taken;
  readonly item: Item;
  /** Whether its handler was called. */
  started = false;
  letGo = false;
  /** Resolves once the call is settled or let go, on disk. */
  readonly ended: Promise<void>;
  end: () => void = () => undefined;
  #aborter: AbortController | undefined;

  constructor(taken: Taken, item: Item) {
    this.taken = taken;
    this.item = item;
    this.ended = new Promise((resolve) => { this.end = resolve; });
  }

  get attempt(): number {
    return this.taken.attempt;
  }

  /** Made when asked for: at 12 µs a signal would be a fifth of what a call costs here. */
  get signal(): AbortSignal {
    this.#aborter ??= new AbortController();
    return this.#aborter.signal;
  }

  abort(): void {
    this.letGo = true;
    this.#aborter ??= new AbortController();
    this.#aborter.abort(new Error('the consumer was stopped'));
  }
}

interface Slots<Item> {
  readonly handle: Handle<Item>;
  maxInFlight: number;
  /** Whose handlers have not answered. */
  readonly running: Set<Running<Item>>;
  /** Those, and whose outcome is not on disk yet. */
  readonly unsettled: Set<Running<Item>>;
}

export class Dispatcher<Item> {
  readonly #parts: DispatcherParts<Item>;
  readonly #picker: Picker;
  readonly #consumers = new Set<Slots<Item>>();
  readonly #stops = new Set<Consumer['stop']>();
  readonly #closing = new AbortController();
  #filling = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: DispatcherParts<Item>) {
    this.#parts = parts;
    this.#picker = new Picker(parts.store, parts.lane);
    parts.lane.onStored = () => {
      this.#picker.stored();
      this.#wake();
    };
  }

  get #where(): object {
    return this.#parts.lane.lane ?? { lane: this.#parts.lane.key };
  }

  consume({ maxInFlight }: ConsumeOptions, handle: Handle<Item>): Consumer {
    const slots: Slots<Item> = { handle, maxInFlight, running: new Set(), unsettled: new Set() };
    this.#consumers.add(slots);
    this.#wake();
    let stopped: Promise<readonly string[]> | undefined;
    const stop: Consumer['stop'] = (graceMs) => {
      stopped ??= this.#stop(slots, graceMs).finally(() => this.#stops.delete(stop));
      return stopped;
    };
    this.#stops.add(stop);
    return {
      setMaxInFlight: (next) => {
        slots.maxInFlight = next;
        this.#wake();
      },
      stop,
    };
  }

  /** Finishes what runs. A store that cannot be written is no longer waited for: what it misses is delivered again. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#stops].map((stop) => stop(longestTimerMs)));
    clearTimeout(this.#timer);
  }

  /** After the microtasks of this turn, so that what ends together is refilled together. */
  #wake(): void {
    if (this.#filling || this.#consumers.size === 0) return;
    this.#filling = true;
    process.nextTick(() => {
      this.#filling = false;
      try {
        this.#fill();
      } catch (err) {
        this.#parts.log.error({ err, ...this.#where }, 'reading the lane failed; trying again');
        this.#wakeAt(this.#parts.now() + pauseMs);
      }
    });
  }

  #wakeAt(atMs: number): void {
    clearTimeout(this.#timer);
    if (atMs === Infinity || this.#consumers.size === 0) return;
    this.#timer = setTimeout(() => { this.#wake(); }, Math.min(Math.max(atMs - this.#parts.now(), 1), longestTimerMs));
  }

  #fill(): void {
    const free = [...this.#consumers].flatMap((slots) => Array<Slots<Item>>(Math.max(slots.maxInFlight - slots.running.size, 0)).fill(slots));
    if (free.length === 0) return;
    const batch: { slots: Slots<Item>; running: Running<Item> }[] = [];
    for (const [i, running] of this.#take(free.length).entries()) {
      const slots = free[i];
      if (slots === undefined) break;
      slots.running.add(running);
      slots.unsettled.add(running);
      batch.push({ slots, running });
    }
    if (batch.length > 0) void this.#deliver(batch);
    if (batch.length === free.length) return;
    // Slots are left: look again when a retry is due, or in the next turn when the picker stopped half way.
    if (this.#picker.more) setImmediate(() => { this.#wake(); });
    else this.#wakeAt(this.#picker.nextDueMs);
  }

  #take(count: number): readonly Running<Item>[] {
    const { store, lane, now, read } = this.#parts;
    const picked = this.#picker.pick(count, now());
    try {
      return picked.flatMap((taken) => {
        const value = store.calls.get(callKey(lane.id, taken.sequence));
        if (value === undefined) return [];
        const { head, rest } = splitParts(value);
        return [new Running(taken, read(head, rest))];
      });
    } catch (error) {
      for (const taken of picked) this.#picker.putBack(taken);
      throw error;
    }
  }

  async #deliver(batch: readonly { slots: Slots<Item>; running: Running<Item> }[]): Promise<void> {
    const { settlement, lane, log, now } = this.#parts;
    try {
      await settlement.take(lane, batch.map(({ running }) => running.taken));
    } catch (err) {
      log.warn({ err, ...this.#where }, 'deliveries wait until the store can be written');
      for (const { slots, running } of batch) {
        if (running.letGo) continue;
        slots.running.delete(running);
        slots.unsettled.delete(running);
        this.#picker.putBack(running.taken);
        running.end();
      }
      this.#wakeAt(now() + pauseMs);
      return;
    }
    for (const { slots, running } of batch) void this.#run(slots, running);
  }

  async #run(slots: Slots<Item>, running: Running<Item>): Promise<void> {
    if (running.letGo) return;
    running.started = true;
    let outcome: Outcome;
    try {
      outcome = await slots.handle(running);
    } catch (err) {
      this.#logDefect(err, running);
      outcome = { kind: 'retry', delayMs: pauseMs };
    }
    if (running.letGo) return;
    slots.running.delete(running);
    this.#wake();
    await this.#settle(slots, running, () => this.#parts.settlement.settle(this.#parts.lane, running.taken, outcome));
  }

  async #stop(slots: Slots<Item>, graceMs: number): Promise<readonly string[]> {
    this.#consumers.delete(slots);
    if (this.#consumers.size === 0) clearTimeout(this.#timer);
    await settledWithin(slots.unsettled, graceMs);
    const unfinished = [...slots.running];
    for (const running of unfinished) this.#letGo(slots, running);
    // A disk that cannot be written goes on being tried, but no longer waited for.
    await settledWithin(slots.unsettled, this.#parts.settleMs);
    return [...new Set([...unfinished, ...slots.unsettled])].map(({ item }) => this.#parts.callIdOf(item));
  }

  /** Its handler's outcome no longer counts; what was never handed to a handler costs no attempt. */
  #letGo(slots: Slots<Item>, running: Running<Item>): void {
    const { settlement, lane, now } = this.#parts;
    const { attempt } = running.taken;
    running.abort();
    slots.running.delete(running);
    void this.#settle(slots, running, () => settlement.waitUntil(lane, running.taken, running.started ? attempt : attempt - 1, now()));
  }

  /** Until it is on disk, however long the disk is full. */
  async #settle(slots: Slots<Item>, running: Running<Item>, write: () => Promise<number | undefined>): Promise<void> {
    const { settlement, lane, log, now } = this.#parts;
    const { sequence, attempt } = running.taken;
    let attemptWrite = write;
    for (;;) {
      try {
        this.#picker.settled(sequence, await attemptWrite());
        break;
      } catch (err) {
        if (err instanceof QueueUnavailable) {
          log.warn({ err, call_id: this.#parts.callIdOf(running.item), ...this.#where }, 'an outcome waits until the store can be written');
          if (this.#closing.signal.aborted) break;
          await wait(pauseMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
          // A stop may have ended before this did, and the store is closed next.
          if (this.#closing.signal.aborted) break;
        } else {
          this.#logDefect(err, running);
          attemptWrite = () => settlement.waitUntil(lane, running.taken, attempt, now() + pauseMs);
        }
      }
    }
    slots.unsettled.delete(running);
    running.end();
    this.#wake();
  }

  #logDefect(err: unknown, { item, attempt }: Running<Item>): void {
    this.#parts.log.error({ err, call_id: this.#parts.callIdOf(item), ...this.#where, attempt }, 'a handler failed; the call is tried again');
  }
}

async function settledWithin<Item>(unsettled: Iterable<Running<Item>>, ms: number): Promise<void> {
  const over = new AbortController();
  await Promise.race([
    Promise.all(Array.from(unsettled, ({ ended }) => ended)),
    wait(Math.min(ms, longestTimerMs), undefined, { signal: over.signal }).catch(() => undefined),
  ]);
  over.abort();
}
