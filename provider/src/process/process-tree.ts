/**
 * A process and what it started, as Linux's /proc tells. Elsewhere a tree is its root alone.
 * Not here: deciding to end it (replica.ts), counting its memory against a limit (memory-limit.ts).
 */
import { readFileSync, readdirSync } from 'node:fs';

/** A process that cannot be mistaken for a later one with its number. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks from boot to its start; empty where there is no /proc. */
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

export function processId(pid: number): ProcessId {
  return { pid, started: startOf(pid) ?? '' };
}

/** Whether that very process runs; without /proc, whether any of its number does. */
export function isRunning({ pid, started }: ProcessId): boolean {
  if (started !== '') return startOf(pid) === started;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Ends those of `processes` that still run, at once. */
export function killAll(processes: readonly ProcessId[]): void {
  for (const each of processes) {
    if (isRunning(each)) signal(each.pid, 'SIGKILL');
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

/** @returns `undefined` for one that is gone, or has ended and is only waited for */
function startOf(pid: number): string | undefined {
  const text = readProc(`${pid}/stat`);
  // The second field is the program's name in parentheses, and may hold anything; the state is the third, the start the 22nd.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields?.[0] === 'Z' ? undefined : fields?.[19];
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return undefined;
  }
}
