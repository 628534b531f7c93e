/**
 * The embedded driver: the Queue port over LMDB files in one folder, owned by one process. This file opens and closes;
 * publish.ts accepts, consume.ts delivers, settle.ts writes outcomes, layout.ts draws what is on disk.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import { decodeHeaderBlock, readCall, readCallback } from '../call-codec.js';
import type { Call, Callback, Lane } from '../call.js';
import { QueueMisconfigured, QueueUnavailable } from '../errors.js';
import type { Outcome } from '../outcome.js';
import type { Consumer, ConsumeOptions, DeadLetter, Delivery, Queue, QueueStats, Receipt } from '../queue.js';
import { Dispatcher } from './consume.js';
import { Lanes, type LaneState } from './lanes.js';
import { decodeDeathNote, splitParts } from './layout.js';
import { lockFolder, type OwnerLock } from './owner-lock.js';
import { Publisher } from './publish.js';
import { Settlement } from './settle.js';
import { Store } from './store.js';

export interface EmbeddedQueueOptions {
  /** The queue lives in its folder `queue/`, which is made when missing. */
  readonly dataDir: string;
  readonly log: Logger;
  /** Headers and body of one call together; 32 MiB unless told. */
  readonly maxBodyBytes?: number;
  /** All calls together; unless told, the disk is the limit. */
  readonly maxBytes?: number;
}

/** @throws {QueueMisconfigured} another process owns the folder, or it cannot be written or read */
export async function openEmbeddedQueue(options: EmbeddedQueueOptions): Promise<Queue> {
  const folder = join(options.dataDir, 'queue');
  try {
    makeFolder(folder);
  } catch (error) {
    throw new QueueMisconfigured(`The queue's folder ${folder} cannot be made (${messageOf(error)}): choose a DATA_DIR that this user may write.`, { cause: error });
  }
  const lock = await lockFolder(folder);
  try {
    return new EmbeddedQueue(new Store(folder), lock, options);
  } catch (error) {
    await lock.release();
    throw new QueueMisconfigured(`The queue's files in ${folder} cannot be opened: ${messageOf(error)}.`, { cause: error });
  }
}

/** Parents first, by hand: Node's own `recursive` never returns where a parent cannot hold folders (/proc). */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  mkdirSync(folder);
}

/** Longer than any disk that works takes. */
const settleMs = 5_000;

class EmbeddedQueue implements Queue {
  readonly #store: Store;
  readonly #lock: OwnerLock;
  readonly #log: Logger;
  readonly #lanes: Lanes;
  readonly #publisher: Publisher;
  readonly #settlement: Settlement;
  readonly #dispatchers = new Map<LaneState, Dispatcher<Call>>();
  #callbacks: Dispatcher<Callback> | undefined;
  #closed: Promise<void> | undefined;

  constructor(store: Store, lock: OwnerLock, { log, maxBodyBytes = 32 * 2 ** 20, maxBytes = Infinity }: EmbeddedQueueOptions) {
    this.#store = store;
    this.#lock = lock;
    this.#log = log;
    this.#lanes = new Lanes(store, Date.now());
    this.#publisher = new Publisher(store, this.#lanes, { maxBodyBytes, maxBytes });
    this.#settlement = new Settlement(store, this.#lanes, Date.now);
  }

  get ready(): boolean {
    return this.#closed === undefined && this.#store.reserve.leavesRoomFor(0);
  }

  async publish(call: Call): Promise<Receipt> {
    this.#mustBeOpen();
    return this.#publisher.publish(call);
  }

  async consume(lane: Lane, options: ConsumeOptions, handle: (delivery: Delivery<Call>) => Promise<Outcome>): Promise<Consumer> {
    this.#mustBeOpen();
    const state = this.#lanes.of(lane);
    let dispatcher = this.#dispatchers.get(state);
    if (dispatcher === undefined) {
      dispatcher = this.#dispatcher(state, (head, body) => readCall(lane, decodeHeaderBlock(head), body), (call) => call.id);
      this.#dispatchers.set(state, dispatcher);
    }
    return dispatcher.consume(options, handle);
  }

  async consumeCallbacks(options: ConsumeOptions, handle: (delivery: Delivery<Callback>) => Promise<Outcome>): Promise<Consumer> {
    this.#mustBeOpen();
    this.#callbacks ??= this.#dispatcher(
      this.#lanes.callbacks, (head, body) => readCallback(decodeHeaderBlock(head), body), (callback) => callback.callId,
    );
    return this.#callbacks.consume(options, handle);
  }

  #dispatcher<Item>(lane: LaneState, read: (head: Buffer, body: Buffer) => Item, callIdOf: (item: Item) => string): Dispatcher<Item> {
    return new Dispatcher({ store: this.#store, settlement: this.#settlement, lane, log: this.#log, now: Date.now, read, callIdOf, settleMs });
  }

  async stats(): Promise<QueueStats> {
    const lanes = [];
    for (const { lane, depth } of this.#lanes.all()) {
      if (lane !== undefined && depth > 0) lanes.push({ lane, depth });
    }
    return { lanes, callbacks: this.#lanes.callbacks.depth, dead: this.#settlement.dead };
  }

  async deadLetters(limit: number): Promise<readonly DeadLetter[]> {
    this.#mustBeOpen();
    return this.#store.newestDead(limit).map((value) => {
      const { head, rest } = splitParts(value);
      const note = decodeDeathNote(head);
      const call = splitParts(rest);
      const headers = decodeHeaderBlock(call.head);
      const idHeader = note.lane === this.#lanes.callbacks.key ? 'Postern-Callback-Call-Id' : 'X-Call-Id';
      const callId = headers.find(([name]) => name === idHeader)?.[1] ?? '';
      return { callId, ...note, headers, body: call.rest };
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#dispatchers.values(), ...(this.#callbacks ? [this.#callbacks] : [])].map((each) => each.close()));
    await this.#store.close();
    await this.#lock.release();
  }

  #mustBeOpen(): void {
    if (this.#closed !== undefined) throw new QueueUnavailable('The queue is closed.');
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
