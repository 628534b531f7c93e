/**
 * The main thread's half of the monitor: it shows that the event loop turns, and which calls are running, in memory it
 * shares with a second thread (monitor-thread.ts), which ends the process when the loop stands still for too long.
 *
 * ```
 * shared memory   | ticks u32 | armed u32 | slot 0 | slot 1 | … | slot 31 |
 * slot (64 bytes) | length u8 | call id, latin1 …                         |
 * ```
 */
import { Worker } from 'node:worker_threads';

export const headBytes = 8;
export const slotBytes = 64;
export const slotCount = 32;
/** How often the loop shows that it turns, and how often that is checked. */
export const checkEveryMs = 200;

/** What the second thread is given at its start. */
export interface MonitorData {
  readonly memory: SharedArrayBuffer;
  /** The loop may stand still for this long; 0: for ever. */
  readonly blockedLimitMs: number;
  /** End the process when its parent is another than this; 0: whatever its parent. */
  readonly parentPid: number;
}

export interface MonitorOptions {
  readonly blockedLimitMs: number;
  readonly parentPid: number;
}

export class Monitor {
  readonly #words: Uint32Array;
  readonly #text: Buffer;
  readonly #freeSlots = Array.from({ length: slotCount }, (_, slot) => slot);
  readonly #ticking: NodeJS.Timeout;
  readonly #thread: Worker;

  constructor({ blockedLimitMs, parentPid }: MonitorOptions) {
    const memory = new SharedArrayBuffer(headBytes + slotCount * slotBytes);
    this.#words = new Uint32Array(memory, 0, 2);
    this.#text = Buffer.from(memory, headBytes);
    const workerData: MonitorData = { memory, blockedLimitMs, parentPid };
    this.#thread = new Worker(new URL('./monitor-thread.js', import.meta.url), { workerData, env: {}, execArgv: [] });
    this.#thread.unref();
    this.#ticking = setInterval(() => Atomics.add(this.#words, 0, 1), checkEveryMs).unref();
  }

  /** From now on a loop that stands still ends the process; before, a handler that loads slowly does not. */
  arm(): void {
    Atomics.store(this.#words, 1, 1);
  }

  /** @returns what `leave` takes; -1 when more calls are running than the memory can name */
  enter(callId: string): number {
    const slot = this.#freeSlots.pop() ?? -1;
    if (slot >= 0) this.#text[slot * slotBytes] = this.#text.write(callId, slot * slotBytes + 1, slotBytes - 1, 'latin1');
    return slot;
  }

  leave(slot: number): void {
    if (slot < 0) return;
    this.#text[slot * slotBytes] = 0;
    this.#freeSlots.push(slot);
  }

  async stop(): Promise<void> {
    clearInterval(this.#ticking);
    await this.#thread.terminate();
  }
}
