/**
 * The LMDB environment: its databases, durable writes, and the reads the rest is made of. Knows keys and values
 * (layout.ts), not what they mean for a delivery.
 *
 * lmdb-js gathers all writes of one turn of the event loop into one transaction, and whole turns into one when the disk
 * is busy: that is the group commit. `overlappingSync` is off, so that the promise of a write resolves after LMDB's own
 * fsync: durable, also against a power cut, and a failed sync is a failed write. Measured with the option on: the same
 * rate, and its promise came no sooner.
 */
import { open, type Database, type RootDatabase } from 'lmdb';
import { QueueUnavailable } from '../errors.js';
import {
  callKey, decodeLaneId, decodeLaterKey, decodeTries, sequenceOfCallKey, sequenceOfDeadKey, type Tries,
} from './layout.js';

type Binary = Database<Buffer, Buffer>;

export class Store {
  readonly calls: Binary;
  readonly tries: Binary;
  readonly later: Binary;
  readonly dead: Binary;
  readonly lanes: Database<Buffer, string>;
  readonly #root: RootDatabase<Buffer, Buffer>;

  constructor(folder: string) {
    this.#root = open<Buffer, Buffer>({ path: folder, noSubdir: false, overlappingSync: false, encoding: 'binary', keyEncoding: 'binary', maxDbs: 8 });
    const binary = { encoding: 'binary', keyEncoding: 'binary' } as const;
    this.calls = this.#root.openDB('calls', binary);
    this.tries = this.#root.openDB('tries', binary);
    this.later = this.#root.openDB('later', binary);
    this.dead = this.#root.openDB('dead', binary);
    this.lanes = this.#root.openDB<Buffer, string>('lanes', { encoding: 'binary' });
  }

  /**
   * Runs `write`, whose puts and removes become one transaction, and resolves once that is on disk.
   * @param write - synchronous; returns the promises of all its writes
   * @throws {QueueUnavailable} the disk is full or broken; nothing of it was stored
   */
  async durable(write: () => readonly Promise<boolean>[]): Promise<void> {
    try {
      // Usually one and the same promise; each must be awaited, for each rejects.
      await Promise.all(new Set(write()));
    } catch (error) {
      const cause = await rootCause(error);
      throw new QueueUnavailable(`The queue's store cannot be written: ${cause instanceof Error ? cause.message : String(cause)}.`, { cause });
    }
  }

  laneIds(): ReadonlyMap<string, number> {
    const ids = new Map<string, number>();
    for (const { key, value } of this.lanes.getRange()) ids.set(key, decodeLaneId(value));
    return ids;
  }

  depth(laneId: number): number {
    return this.calls.getKeysCount({ start: callKey(laneId, 0), end: callKey(laneId + 1, 0) });
  }

  get deadCount(): number {
    return entryCount(this.dead.getStats());
  }

  /** Bytes of the pages that hold calls. */
  get callBytes(): number {
    return pageBytes(this.calls.getStats());
  }

  /** The highest sequence that a call of these lanes, or a dead letter, has; 0 when there is none. */
  highestSequence(laneIds: Iterable<number>): number {
    let highest = 0;
    for (const id of laneIds) {
      for (const key of this.calls.getKeys({ start: callKey(id + 1, 0), end: callKey(id, 0), reverse: true, limit: 1 })) {
        highest = Math.max(highest, sequenceOfCallKey(key));
      }
    }
    for (const key of this.dead.getKeys({ reverse: true, limit: 1 })) highest = Math.max(highest, sequenceOfDeadKey(key));
    return highest;
  }

  /** The lane's calls after `sequence`, in order, read as they are asked for. */
  *sequencesAfter(laneId: number, sequence: number): Generator<number> {
    for (const key of this.calls.getKeys({ start: callKey(laneId, sequence + 1), end: callKey(laneId + 1, 0) })) {
      yield sequenceOfCallKey(key);
    }
  }

  /** The lane's calls that wait for their next try, the earliest first. */
  *waiting(laneId: number): Generator<{ readonly dueMs: number; readonly sequence: number }> {
    for (const key of this.later.getKeys({ start: callKey(laneId, 0), end: callKey(laneId + 1, 0) })) yield decodeLaterKey(key);
  }

  /** Values of `dead`. */
  newestDead(limit: number): readonly Buffer[] {
    return Array.from(this.dead.getRange({ reverse: true, limit }), ({ value }) => value);
  }

  triesOf(key: Buffer): Tries {
    const value = this.tries.get(key);
    return value === undefined ? { attempts: 0, dueMs: 0 } : decodeTries(value);
  }

  /** Ends after every write asked for has. */
  close(): Promise<void> {
    return this.#root.close();
  }
}

/** lmdb-js rejects writes with an error whose `commitError` rejects, a little later, with what happened. */
async function rootCause(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}

/** lmdb-js declares `getStats` as `{}`; these are mdb_stat's fields under its names. */
interface Stats {
  readonly pageSize: number;
  readonly entryCount: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

function entryCount(stats: object): number {
  return (stats as Stats).entryCount;
}

function pageBytes(stats: object): number {
  const { pageSize, treeBranchPageCount, treeLeafPageCount, overflowPages } = stats as Stats;
  return pageSize * (treeBranchPageCount + treeLeafPageCount + overflowPages);
}
