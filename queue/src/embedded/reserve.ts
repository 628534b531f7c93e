/**
 * Space kept for settling. LMDB copies the pages it changes, so on a disk filled to the last page not even a removal
 * could be written: the queue would be full for ever. A file `reserve` beside LMDB's is given up when a write fails;
 * from then on calls are accepted only while LMDB's own free pages leave as much, until the disk has room for the file
 * again. (LMDB's file never shrinks: a drained queue on a full disk lives off its free pages.)
 */
import { randomBytes } from 'node:crypto';
import { existsSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const reserveBytes = 2 * 2 ** 20;
const pauseMs = 1_000;

export class Reserve {
  readonly #path: string;
  readonly #folder: string;
  /** Bytes of pages in LMDB's file that hold nothing. */
  readonly #freeBytes: () => number;
  #held: boolean;
  #nextTryMs = 0;
  #claimed = 0;

  constructor(folder: string, freeBytes: () => number) {
    this.#folder = folder;
    this.#path = join(folder, 'reserve');
    this.#freeBytes = freeBytes;
    this.#held = existsSync(this.#path) || this.#take();
  }

  /** A write failed: the space is free for settling at once. */
  giveUp(): void {
    this.#held = false;
    rmSync(this.#path, { force: true });
  }

  /** Whether a call of this size may be accepted; with 0, whether any may. */
  leavesRoomFor(bytes: number): boolean {
    if (!this.#held && performance.now() >= this.#nextTryMs) this.#held = this.#take();
    return this.#held || this.#freeBytes() - this.#claimed - bytes >= reserveBytes;
  }

  /** Counts what is on its way into the store, until the returned function is called. */
  claim(bytes: number): () => void {
    this.#claimed += bytes;
    return () => { this.#claimed -= bytes; };
  }

  /** Only where twice as much is free: taking back what was just given up would leave settling where it was. */
  #take(): boolean {
    this.#nextTryMs = performance.now() + pauseMs;
    try {
      const { bavail, bsize } = statfsSync(this.#folder);
      if (bavail * bsize < 2 * reserveBytes) return false;
      // Random, because some file systems store zeros in no space.
      writeFileSync(this.#path, randomBytes(reserveBytes));
      return true;
    } catch {
      rmSync(this.#path, { force: true });
      return false;
    }
  }
}
