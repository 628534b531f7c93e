/**
 * The log of one function: a file a replica, and those who follow it live.
 * Files outlive their replica, so that a function scaled to zero still tells what it did; only the newest few are kept.
 * Not here: how a file is written (log-file.ts) and read (log-reader.ts).
 */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LogFile, type LogFileOptions } from './log-file.js';

const keptOfEnded = 10;

export interface LiveLine {
  readonly instance: string;
  readonly timestamp: string;
  readonly text: string;
}

export interface Follower {
  readonly line: (line: LiveLine) => void;
  /** Nothing more will come. */
  readonly end: () => void;
}

/** Where a replica's output goes. */
export interface ReplicaLog {
  append(lines: readonly string[]): void;
  close(): void;
}

export class FunctionLog {
  readonly #folder: string;
  readonly #options: LogFileOptions;
  readonly #open = new Map<string, LogFile>();
  readonly #followers = new Set<Follower>();

  /** @param folder - this function's own */
  constructor(folder: string, options: LogFileOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  openReplica(instance: string): ReplicaLog {
    this.#prune();
    const file = new LogFile(join(this.#folder, `${instance}.log`), this.#options);
    this.#open.set(instance, file);
    return {
      append: (lines) => {
        const timestamp = new Date().toISOString();
        file.append(timestamp, lines);
        for (const follower of this.#followers) {
          for (const text of lines) follower.line({ instance, timestamp, text });
        }
      },
      close: () => {
        file.close();
        this.#open.delete(instance);
      },
    };
  }

  /**
   * Everything kept and everything to come, without a gap or a line twice: what was written before this call is in the
   * files when it returns, what comes after goes to the follower.
   */
  files(instance: string | undefined, follower?: Follower): { readonly instance: string; readonly paths: readonly string[] }[] {
    for (const file of this.#open.values()) file.flush();
    if (follower) this.#followers.add(follower);
    // Only names that are there: one that comes from outside may spell a path.
    const instances = this.instances().filter((name) => instance === undefined || name === instance);
    return instances.map((name) => ({ instance: name, paths: [join(this.#folder, `${name}.log.1`), join(this.#folder, `${name}.log`)] }));
  }

  unfollow(follower: Follower): void {
    this.#followers.delete(follower);
  }

  /** Replicas of which something is kept. */
  instances(): string[] {
    return [...new Set(this.#list().map((file) => file.replace(/\.log(\.1)?$/, '')))];
  }

  /** Ends every follow. */
  end(): void {
    for (const follower of this.#followers) follower.end();
  }

  remove(instances: readonly string[]): void {
    for (const instance of instances) {
      rmSync(join(this.#folder, `${instance}.log`), { force: true });
      rmSync(join(this.#folder, `${instance}.log.1`), { force: true });
    }
  }

  #prune(): void {
    const ended = this.instances().filter((instance) => !this.#open.has(instance));
    if (ended.length <= keptOfEnded) return;
    const byAge = ended.map((instance) => ({ instance, at: lastChange(join(this.#folder, `${instance}.log`)) })).sort((a, b) => b.at - a.at);
    this.remove(byAge.slice(keptOfEnded).map(({ instance }) => instance));
  }

  #list(): string[] {
    try {
      return readdirSync(this.#folder).filter((name) => /\.log(\.1)?$/.test(name));
    } catch {
      // Nothing was ever logged.
      return [];
    }
  }
}

function lastChange(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
