/**
 * The lanes of one store: their ids, how many calls each holds, and which sequence comes next. In memory, per lane
 * and never per call; what must survive is in the store.
 */
import type { Lane } from '../call.js';
import { checkedLaneKey, parseLaneKey } from '../call.js';
import { callbackLaneId, encodeLaneId } from './layout.js';
import type { Store } from './store.js';

export interface LaneState {
  readonly id: number;
  readonly key: string;
  /** `undefined` for the callbacks' lane. */
  readonly lane: Lane | undefined;
  /** Stored and not settled. */
  depth: number;
  /** Whether the lane's id is on disk. */
  stored: boolean;
  /** Called when a call was stored here. */
  onStored: () => void;
}

export class Lanes {
  readonly callbacks: LaneState;
  readonly #store: Store;
  readonly #byKey = new Map<string, LaneState>();
  #sequence: number;
  #lastId = callbackLaneId;

  constructor(store: Store, nowMs: number) {
    this.#store = store;
    this.callbacks = newLane(callbackLaneId, 'callback', undefined, store.depth(callbackLaneId));
    const ids = store.laneIds();
    for (const [key, id] of ids) {
      this.#byKey.set(key, newLane(id, key, parseLaneKey(key), store.depth(id)));
      this.#lastId = Math.max(this.#lastId, id);
    }
    // Microseconds since the epoch: a sequence is not used twice even when the calls that had the last ones are gone.
    this.#sequence = Math.max(store.highestSequence([callbackLaneId, ...ids.values()]), nowMs * 1_000);
  }

  nextSequence(): number {
    return ++this.#sequence;
  }

  /** @throws {RangeError} this cannot be a lane */
  of(lane: Lane): LaneState {
    const key = checkedLaneKey(lane);
    let state = this.#byKey.get(key);
    if (state === undefined) {
      state = { ...newLane(++this.#lastId, key, lane, 0), stored: false };
      this.#byKey.set(key, state);
    }
    return state;
  }

  /** Part of the transaction that stores a lane's first call. */
  writeId(state: LaneState): void {
    if (!state.stored) void this.#store.lanes.put(state.key, encodeLaneId(state.id));
  }

  all(): Iterable<LaneState> {
    return this.#byKey.values();
  }
}

function newLane(id: number, key: string, lane: Lane | undefined, depth: number): LaneState {
  return { id, key, lane, depth, stored: true, onStored: () => undefined };
}
