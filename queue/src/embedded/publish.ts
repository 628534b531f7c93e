/** From a call to its receipt: limits, one write, and the wait until it is on disk. */
import { encodeCallHeaders } from '../call-codec.js';
import type { Call } from '../call.js';
import { BodyTooLarge, QueueFull, QueueUnavailable } from '../errors.js';
import type { Receipt } from '../queue.js';
import type { Lanes } from './lanes.js';
import { callKey, joinParts } from './layout.js';
import type { Store } from './store.js';

export interface PublishLimits {
  /** Headers and body of one call together. */
  readonly maxBodyBytes: number;
  /** All calls together, in whole pages. */
  readonly maxBytes: number;
}

export class Publisher {
  readonly #store: Store;
  readonly #lanes: Lanes;
  readonly #limits: PublishLimits;
  /** What the calls took up when that was last read, and what was added since. */
  #bytes: number;

  constructor(store: Store, lanes: Lanes, limits: PublishLimits) {
    this.#store = store;
    this.#lanes = lanes;
    this.#limits = limits;
    this.#bytes = store.callBytes;
  }

  async publish(call: Call): Promise<Receipt> {
    const head = encodeCallHeaders(call);
    const size = head.length + call.body.length;
    if (size > this.#limits.maxBodyBytes) {
      throw new BodyTooLarge(`Headers and body together are ${size} bytes; the queue stores at most ${this.#limits.maxBodyBytes}.`);
    }
    const lane = this.#lanes.of(call.lane);
    this.#count(size);
    if (!this.#store.reserve.leavesRoomFor(size)) throw new QueueUnavailable('The disk is full: what space is left is kept for the calls already accepted.');
    const sequence = this.#lanes.nextSequence();
    const value = joinParts(head, call.body);
    const unclaim = this.#store.reserve.claim(size);
    try {
      await this.#store.durable(() => {
        this.#lanes.writeId(lane);
        void this.#store.calls.put(callKey(lane.id, sequence), value);
      });
    } finally {
      unclaim();
    }
    lane.stored = true;
    lane.depth++;
    lane.onStored();
    return { sequence: String(sequence) };
  }

  /** Counts up between readings, so that only a store that looks full is measured. */
  #count(size: number): void {
    if (this.#bytes + size > this.#limits.maxBytes) this.#bytes = this.#store.callBytes;
    if (this.#bytes + size > this.#limits.maxBytes) {
      throw new QueueFull(`The queue holds ${this.#bytes} bytes of calls; its limit is ${this.#limits.maxBytes}.`);
    }
    this.#bytes += size;
  }
}
