/**
 * The LMDB environment: its databases, durable writes, and the reads the rest is made of. Knows keys and values
 * (layout.ts), not what they mean for a delivery.
 *
 * All writes asked for in one turn of the event loop become one transaction, and lmdb-js joins transactions that wait
 * for the disk: that is the group commit. `overlappingSync` is off, so that a write resolves after LMDB's own fsync:
 * durable, also against a power cut, and a failed sync is a failed write. Measured with the option on: the same rate,
 * and the promise came no sooner. `eventTurnBatching`, lmdb-js's way to do the same, is off because it drops a promise
 * that rejects when a commit fails, which ends the process.
 */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { open, type Database, type RootDatabase } from 'lmdb';
import { QueueUnavailable } from '../errors.js';
import {
  callKey, decodeLaneId, decodeLaterKey, decodeTries, sequenceOfCallKey, sequenceOfDeadKey, type Tries,
} from './layout.js';
import { Reserve } from './reserve.js';

type Binary = Database<Buffer, Buffer>;

export class Store {
  readonly calls: Binary;
  readonly tries: Binary;
  readonly later: Binary;
  readonly dead: Binary;
  readonly lanes: Database<Buffer, string>;
  readonly reserve: Reserve;
  readonly #root: RootDatabase<Buffer, Buffer>;
  #turn: { readonly writes: (() => void)[]; readonly committed: Promise<void> } | undefined;

  /** @throws when the folder's files are not LMDB's, or LMDB cannot open them */
  constructor(folder: string) {
    refuseStrangeFile(join(folder, 'data.mdb'));
    this.#root = open<Buffer, Buffer>({ path: folder, noSubdir: false, overlappingSync: false, eventTurnBatching: false, encoding: 'binary', keyEncoding: 'binary', maxDbs: 8 });
    const binary = { encoding: 'binary', keyEncoding: 'binary' } as const;
    this.calls = this.#root.openDB('calls', binary);
    this.tries = this.#root.openDB('tries', binary);
    this.later = this.#root.openDB('later', binary);
    this.dead = this.#root.openDB('dead', binary);
    this.lanes = this.#root.openDB<Buffer, string>('lanes', { encoding: 'binary' });
    this.reserve = new Reserve(folder, () => this.#freeBytes());
  }

  /**
   * Runs `write` at the end of this turn; its puts and removes are in one transaction. Resolves once that is on disk.
   * @param write - must not throw, because it shares the transaction with others
   * @throws {QueueUnavailable} the disk is full or broken; nothing of it was stored
   */
  durable(write: () => void): Promise<void> {
    if (this.#turn === undefined) {
      const writes: (() => void)[] = [];
      this.#turn = { writes, committed: this.#commitTurn(writes) };
    }
    this.#turn.writes.push(write);
    return this.#turn.committed;
  }

  async #commitTurn(writes: readonly (() => void)[]): Promise<void> {
    await nextTurn();
    this.#turn = undefined;
    try {
      await this.#root.batch(() => { for (const write of writes) write(); });
    } catch (error) {
      this.reserve.giveUp();
      const cause = await rootCause(error);
      throw new QueueUnavailable(`The queue's store cannot be written (${cause instanceof Error ? cause.message : String(cause)}): is the disk full?`, { cause });
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

  #freeBytes(): number {
    const { root, free, lastPageNumber, pageSize } = this.calls.getStats() as EnvironmentStats;
    const trees = [this.calls, this.tries, this.later, this.dead, this.lanes].map((each) => pageBytes(each.getStats()));
    return [...trees, pageBytes(root), pageBytes(free)].reduce((rest, bytes) => rest - bytes, (lastPageNumber + 1) * pageSize);
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
  async close(): Promise<void> {
    await this.#turn?.committed.catch(() => undefined);
    await this.#root.close();
  }
}

/** LMDB's magic number stands in the first page. lmdb-js ends the process when it opens a file without it. */
function refuseStrangeFile(path: string): void {
  if (!existsSync(path)) return;
  const file = openSync(path, 'r');
  try {
    const start = Buffer.alloc(64);
    const length = readSync(file, start);
    if (length > 0 && !start.includes(Buffer.from('dec0efbe', 'hex'))) throw new Error('data.mdb is no LMDB file');
  } finally {
    closeSync(file);
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

interface EnvironmentStats extends Stats {
  readonly root: Stats;
  /** The tree in which LMDB keeps the numbers of free pages. */
  readonly free: Stats;
  readonly lastPageNumber: number;
}

function entryCount(stats: object): number {
  return (stats as Stats).entryCount;
}

function pageBytes(stats: object): number {
  const { pageSize, treeBranchPageCount, treeLeafPageCount, overflowPages } = stats as Stats;
  return pageSize * (treeBranchPageCount + treeLeafPageCount + overflowPages);
}
