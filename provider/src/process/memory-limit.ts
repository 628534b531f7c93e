/**
 * Holds replicas to their memory limit by looking at them once a second: a process cannot be given a limit without
 * control groups, so one that grows beyond it is reported, and its replica started anew.
 * Not here: ending it (replica.ts).
 */
import type { MemoryLimit } from './launch.js';
import { descendants, residentBytes } from './process-tree.js';

const intervalMs = 1_000;

interface Watched {
  readonly pid: number;
  readonly limit: MemoryLimit;
  readonly onExceeded: (reason: string) => void;
}

export class MemoryWatch {
  readonly #watched = new Set<Watched>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param onExceeded - told once, with a sentence that names the limit
   * @returns ends the watch over this process
   */
  watch(pid: number, limit: MemoryLimit, onExceeded: (reason: string) => void): () => void {
    const watched = { pid, limit, onExceeded };
    this.#watched.add(watched);
    this.#timer ??= setInterval(() => this.#look(), intervalMs).unref();
    return () => this.#forget(watched);
  }

  #look(): void {
    for (const watched of this.#watched) {
      const { pid, limit } = watched;
      const members = descendants(pid).map((member) => member.pid);
      if (limit.countsWatchdog) members.push(pid);
      const bytes = members.reduce((total, member) => total + residentBytes(member), 0);
      if (bytes <= limit.bytes) continue;
      this.#forget(watched);
      watched.onExceeded(`used ${Math.ceil(bytes / 2 ** 20)}Mi of memory, its limit is ${limit.text}`);
    }
  }

  #forget(watched: Watched): void {
    this.#watched.delete(watched);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
