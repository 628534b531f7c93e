/** From an outcome to one transaction: what becomes of a delivered call on disk. Not here: when, and for whom (consume.ts). */
import { encodeCallbackHeaders } from '../call-codec.js';
import type { Callback } from '../call.js';
import type { Cause, Outcome } from '../outcome.js';
import type { Lanes, LaneState } from './lanes.js';
import { callKey, deadKey, encodeDeathNote, encodeTries, joinParts, laterKey } from './layout.js';
import type { Store } from './store.js';

/** A call as it was taken from its lane. */
export interface Taken {
  readonly sequence: number;
  /** The one this delivery is. */
  readonly attempt: number;
  /** When it was due, if it waited in `later`; else 0. */
  readonly dueMs: number;
}

export class Settlement {
  readonly #store: Store;
  readonly #lanes: Lanes;
  readonly #now: () => number;
  #dead: number;

  constructor(store: Store, lanes: Lanes, now: () => number) {
    this.#store = store;
    this.#lanes = lanes;
    this.#now = now;
    this.#dead = store.deadCount;
  }

  get dead(): number {
    return this.#dead;
  }

  /** Counts the deliveries; on disk before a call is handed out, so that a crash cannot repeat an attempt's number. */
  take(lane: LaneState, taken: readonly Taken[]): Promise<void> {
    const { tries, later } = this.#store;
    return this.#store.durable(() => {
      for (const { sequence, attempt, dueMs } of taken) {
        if (dueMs > 0) void later.remove(laterKey(lane.id, dueMs, sequence));
        void tries.put(callKey(lane.id, sequence), encodeTries({ attempts: attempt, dueMs: 0 }));
      }
    });
  }

  /** @returns when the call is due again; `undefined` when it is gone */
  async settle(lane: LaneState, taken: Taken, outcome: Outcome): Promise<number | undefined> {
    switch (outcome.kind) {
      case 'retry': return this.waitUntil(lane, taken, taken.attempt, this.#now() + outcome.delayMs);
      case 'done': return this.#remove(lane, taken.sequence, outcome.callback);
      case 'dead': return this.#remove(lane, taken.sequence, outcome.callback, outcome.cause);
    }
  }

  /** Leaves the call in the store until `dueMs`, after `attempts` deliveries. */
  async waitUntil(lane: LaneState, taken: Taken, attempts: number, dueMs: number): Promise<number> {
    const due = Math.ceil(dueMs);
    // Encoded before the transaction, which others share: what throws here, for a due time that is none, spoils nothing.
    const entry = laterKey(lane.id, due, taken.sequence);
    const waiting = encodeTries({ attempts, dueMs: due });
    await this.#store.durable(() => {
      // Still there when taking it could not be written.
      if (taken.dueMs > 0) void this.#store.later.remove(laterKey(lane.id, taken.dueMs, taken.sequence));
      void this.#store.later.put(entry, Buffer.alloc(0));
      void this.#store.tries.put(callKey(lane.id, taken.sequence), waiting);
    });
    return due;
  }

  async #remove(lane: LaneState, sequence: number, callback?: Callback, cause?: Cause): Promise<undefined> {
    const { calls, tries, dead } = this.#store;
    const { callbacks } = this.#lanes;
    const key = callKey(lane.id, sequence);
    // Encoded before the transaction, as above.
    const letter = cause === undefined ? undefined : this.#deadLetter(lane, cause, calls.get(key));
    const reply = callback === undefined ? undefined : joinParts(encodeCallbackHeaders(callback), callback.body);
    await this.#store.durable(() => {
      if (letter !== undefined) void dead.put(deadKey(this.#lanes.nextSequence()), letter);
      if (reply !== undefined) void calls.put(callKey(callbacks.id, this.#lanes.nextSequence()), reply);
      void tries.remove(key);
      void calls.remove(key);
    });
    lane.depth--;
    if (letter !== undefined) this.#dead++;
    if (reply !== undefined) {
      callbacks.depth++;
      callbacks.onStored();
    }
    return undefined;
  }

  #deadLetter(lane: LaneState, cause: Cause, call: Buffer | undefined): Buffer {
    if (call === undefined) throw new Error(`a call given up is not in the store: lane ${lane.key}`);
    return joinParts(encodeDeathNote({ lane: lane.key, cause, diedAtMs: this.#now() }), call);
  }
}
