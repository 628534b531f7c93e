/**
 * One replica: a watchdog process, started, watched, started again when it ends, until it is told to stop.
 * Its states and their order are replica-state.ts; here is what each of them does.
 * Not here: how many replicas there are (replica-set.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { backoffMs } from '../backoff.js';
import type { ReplicaLog } from './function-log.js';
import type { Launch } from './launch.js';
import { LineSplitter } from './lines.js';
import type { MemoryWatch } from './memory-limit.js';
import { type ProcessId, descendants, killAll, signal } from './process-tree.js';
import { type ReplicaEvent, type ReplicaState, transition } from './replica-state.js';
import type { StartSlots } from './start-slots.js';

/** A starting replica holds its slot no longer than this: one that hangs must not keep the others waiting. */
const slotMs = 5_000;
/** Longest wait before a replica that keeps ending is started again. */
const maxBackoffMs = 10_000;
/** What a dead watchdog last said is read this long at most: its children may hold its output open. */
const lastWordsMs = 500;
/** The watchdog's guard gets this long to end what a killed watchdog left, before we do. */
const guardMs = 100;

/** What a watchdog tells its parent. */
const watchdogMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready'), url: z.url({ protocol: /^http$/ }).transform((url) => url.replace(/\/$/, '')) }),
  z.object({ type: z.literal('unready'), reason: z.string(), final: z.boolean().default(false) }),
]);

export interface Failed {
  readonly failures: number;
  readonly reason: string;
}

export interface ReplicaOptions {
  /** Stable while it lives, whatever becomes of its processes. */
  readonly name: string;
  readonly watchdogMain: string;
  /** Prepares a start; throws what keeps it from starting. */
  readonly launch: () => Launch;
  readonly log: ReplicaLog;
  readonly slots: StartSlots;
  readonly memory: MemoryWatch;
  /** It takes the place of one that failed so often, and is started after the wait that the other would have had. */
  readonly after?: Failed | undefined;
  /** From spawn to ready, and from unready to ready again; then it is ended and tried again. */
  readonly startDeadlineMs: number;
  readonly onChange: (replica: Replica) => void;
}

export class Replica {
  readonly name: string;
  /** Resolves once nothing of it is left. */
  readonly ended: Promise<void>;
  readonly #options: ReplicaOptions;
  #state: ReplicaState;
  #child: ChildProcess | undefined;
  /** Why it is not ready, as its watchdog last said. */
  #told: string | undefined;
  /** What the watchdog had started when we killed it; absent as long as we did not. */
  #killed: readonly ProcessId[] | undefined;
  #graceMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #leaveSlot: () => void = () => undefined;
  #forgetMemory: () => void = () => undefined;
  #resolveEnded: () => void = () => undefined;

  constructor(options: ReplicaOptions) {
    this.name = options.name;
    this.#options = options;
    this.#state = options.after ? { kind: 'backoff', ...options.after } : { kind: 'queued', failures: 0 };
    this.ended = new Promise((resolve) => { this.#resolveEnded = resolve; });
  }

  get state(): ReplicaState {
    return this.#state;
  }

  /** Takes its place among those that wait to start. */
  start(): void {
    this.#enter(this.#state);
  }

  /**
   * Lets it finish what it has, at most `graceMs`, then ends it. Called again, the shorter grace counts.
   * @returns `ended`
   */
  stop(graceMs: number): Promise<void> {
    if (this.#state.kind === 'stopping') {
      if (graceMs < this.#graceMs) this.#after(graceMs, () => this.#kill());
      this.#graceMs = Math.min(this.#graceMs, graceMs);
    } else {
      this.#graceMs = graceMs;
      this.#apply({ kind: 'stop' });
    }
    return this.ended;
  }

  #apply(event: ReplicaEvent): void {
    const next = transition(this.#state, event);
    const before = this.#state;
    if (next === before) return;
    this.#state = next;
    if (next.kind !== before.kind) this.#enter(next);
    this.#options.onChange(this);
  }

  /** Every state's doing; each one's timer ends with it. */
  #enter(state: ReplicaState): void {
    clearTimeout(this.#timer);
    if (state.kind !== 'starting') this.#leaveSlot();
    switch (state.kind) {
      case 'queued':
        this.#leaveSlot = this.#options.slots.take(() => this.#apply({ kind: 'start' }));
        break;
      case 'starting':
        this.#spawn();
        break;
      case 'ready': case 'finishing':
        break;
      case 'unready':
        this.#condemnAfterDeadline('was not ready again within');
        break;
      case 'killing':
        this.#kill();
        break;
      case 'backoff':
        this.#after(backoffMs(state.failures, maxBackoffMs), () => this.#apply({ kind: 'retry' }));
        break;
      case 'stopping':
        if (this.#child?.pid !== undefined) signal(this.#child.pid, 'SIGTERM');
        this.#after(this.#graceMs, () => this.#kill());
        break;
      case 'ended':
        this.#options.log.close();
        this.#resolveEnded();
        break;
    }
  }

  #after(ms: number, action: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, ms);
  }

  #spawn(): void {
    const { watchdogMain } = this.#options;
    let launch: Launch;
    let child: ChildProcess;
    try {
      launch = this.#options.launch();
      // A group of its own: Ctrl-C in a terminal is the provider's to handle, and it lets its replicas drain.
      child = spawn(process.execPath, [...launch.execArgv, watchdogMain], {
        env: launch.env, cwd: launch.cwd, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true,
      });
    } catch (error) {
      queueMicrotask(() => this.#apply({ kind: 'exited', reason: couldNotStart(error), atMs: Date.now() }));
      return;
    }
    this.#child = child;
    this.#told = undefined;
    const leaveSlot = this.#leaveSlot;
    const slotTimer = setTimeout(leaveSlot, slotMs).unref();
    this.#leaveSlot = () => {
      clearTimeout(slotTimer);
      leaveSlot();
    };
    this.#condemnAfterDeadline('was not ready within');
    const { memoryLimit } = launch;
    if (memoryLimit && child.pid !== undefined) {
      this.#forgetMemory = this.#options.memory.watch(child.pid, memoryLimit, (reason) => this.#condemn(reason));
    }
    // `watchEnd` learns of a failed start; a later error is followed by the exit.
    child.on('error', () => undefined);
    child.on('message', (message) => {
      const parsed = watchdogMessage.safeParse(message);
      // What it said before it died may arrive after its exit.
      if (!parsed.success || child.exitCode !== null || child.signalCode !== null) return;
      if (parsed.data.type === 'ready') this.#apply({ kind: 'ready', url: parsed.data.url, atMs: Date.now() });
      else {
        this.#told = parsed.data.reason;
        this.#apply({ kind: parsed.data.final ? 'finishing' : 'unready', reason: parsed.data.reason, atMs: Date.now() });
      }
    });
    void this.#watchEnd(child, this.#record(child));
  }

  /** Sends its output to the log. @returns the last line it wrote to standard error */
  #record(child: ChildProcess): { lastError: string } {
    const record = { lastError: '' };
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue;
      const lines = new LineSplitter();
      const take = (complete: readonly string[]): void => {
        if (complete.length === 0) return;
        if (stream === child.stderr) record.lastError = complete.findLast((line) => line.trim() !== '') ?? record.lastError;
        this.#options.log.append(complete);
      };
      stream.setEncoding('utf8').on('data', (chunk: string) => take(lines.push(chunk))).on('end', () => take(lines.end()));
      // A pipe that breaks ends with its process, which is what we watch.
      stream.on('error', () => undefined);
    }
    return record;
  }

  async #watchEnd(child: ChildProcess, record: { readonly lastError: string }): Promise<void> {
    const { pid } = child;
    let how: string;
    try {
      const closed = once(child, 'close').catch(() => undefined);
      const [code, signalName]: unknown[] = await once(child, 'exit');
      // What a handler started is in its watchdog's group; the guard, which ends the other groups, is not.
      if (pid !== undefined) signal(-pid, 'SIGKILL');
      this.#forgetMemory();
      this.#apply({ kind: 'unready', reason: 'its process has ended', atMs: Date.now() });
      await Promise.race([closed, wait(lastWordsMs)]);
      how = typeof code === 'number' ? `ended with exit code ${code}` : `was ended by ${String(signalName)}`;
    } catch (error) {
      // The process did not come to be: no such folder, too many processes …
      how = couldNotStart(error);
    }
    if (this.#killed) {
      await wait(guardMs);
      killAll(this.#killed);
    }
    this.#killed = undefined;
    this.#child = undefined;
    child.stdout?.destroy();
    child.stderr?.destroy();
    this.#apply({ kind: 'exited', reason: record.lastError === '' ? how : `${how}: ${record.lastError.slice(0, 500)}`, atMs: Date.now() });
  }

  #condemnAfterDeadline(what: string): void {
    const { startDeadlineMs } = this.#options;
    this.#after(startDeadlineMs, () => {
      this.#condemn(`${what} ${startDeadlineMs / 1_000} s${this.#told === undefined ? '' : `: ${this.#told}`}`);
    });
  }

  #condemn(reason: string): void {
    this.#options.log.append([`postern: this replica ${reason}; it is started anew`]);
    this.#apply({ kind: 'condemned', reason, atMs: Date.now() });
  }

  #kill(): void {
    const child = this.#child;
    // One that has ended is on its way out, and its number may be another's.
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    this.#killed = descendants(child.pid);
    signal(child.pid, 'SIGKILL');
  }
}

function couldNotStart(error: unknown): string {
  return `could not be started: ${error instanceof Error ? error.message : String(error)}`;
}
