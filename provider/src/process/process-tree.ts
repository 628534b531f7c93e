/**
 * A process and what it started, as Linux's /proc tells. Elsewhere a tree is its root alone.
 * Not here: deciding to end it (replica.ts), counting its memory against a limit (memory-limit.ts).
 */
import { readFileSync, readdirSync } from 'node:fs';

/** A process that cannot be mistaken for a later one with its number. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks from boot to its start. */
  readonly started: string;
}

/** @returns everything below `root`, without `root` itself */
export function descendants(root: number): ProcessId[] {
  const found: ProcessId[] = [];
  const waiting = [root];
  for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
    for (const child of childrenOf(pid)) {
      const started = startOf(child);
      if (started === undefined) continue;
      found.push({ pid: child, started });
      waiting.push(child);
    }
  }
  return found;
}

/** @returns bytes in memory now; 0 for a process that is gone */
export function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(`${pid}/status`) ?? '');
  return match ? Number(match[1]) * 1_024 : 0;
}

/** Ends those of `processes` that still run, at once. */
export function killAll(processes: readonly ProcessId[]): void {
  for (const { pid, started } of processes) {
    if (startOf(pid) === started) signal(pid, 'SIGKILL');
  }
}

/** Signals a process, or a whole group by its negative number. One that has gone, or changed its user, is past telling. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && (error.code === 'ESRCH' || error.code === 'EPERM'))) throw error;
  }
}

function childrenOf(pid: number): number[] {
  let threads: string[];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  return threads.flatMap((thread) => (readProc(`${pid}/task/${thread}/children`) ?? '').split(' ').filter((text) => text !== '').map(Number));
}

function startOf(pid: number): string | undefined {
  const text = readProc(`${pid}/stat`);
  // The second field is the program's name in parentheses, and may hold anything; the start is the 22nd.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return undefined;
  }
}
