/**
 * Keeps the function's process running: starts it, waits until it answers, and starts it again whenever it ends, with exit code 0 too.
 * Not here: the calls (exchange.ts).
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { OrphanGuard } from '../guard.js';
import { datedPrefix, forwardLines } from '../lines.js';
import type { Log } from '../log.js';
import { describeEnding, findProgram, ProcessGroup, type Ending } from '../process-group.js';
import type { Readiness } from '../runner.js';
import type { Settings } from '../settings.js';
import { restartDelayMs } from './backoff.js';
import { freePort, untilAnswering } from './probe.js';

/** The settings of a supervised child. */
export type ChildSettings = Pick<Settings,
  'command' | 'environment' | 'upstreamUrl' | 'readyPath' | 'prefixLogs' | 'maxLogLineBytes'>;

/** A child that lived this long in good health starts its backoff anew. */
const goodHealthMs = 10_000;
/** Between SIGTERM and SIGKILL. */
const graceMs = 2_000;

/** Told of each life of the child. */
export interface ChildListener {
  /** A new child answers at `upstream`. */
  up(upstream: URL): void;
  /** It has ended, or another is being waited for. */
  down(readiness: Readiness & { readonly ready: false }): void;
}

/** Supervises one child at a time. */
export class Child {
  readonly #stopping = new AbortController();
  #group: ProcessGroup | undefined;
  #supervision: Promise<void> = Promise.resolve();

  constructor(
    readonly settings: ChildSettings, readonly guard: OrphanGuard, readonly log: Log, readonly listener: ChildListener,
  ) {}

  /** Resolves once a child answers, or the supervisor is stopped. @throws {Error} there is no such program */
  async start(): Promise<void> {
    const [program = ''] = this.settings.command;
    if (findProgram(program, this.settings.environment) === undefined) throw new Error(`${program}: no such program`);
    await new Promise<void>((resolve) => {
      this.#supervision = this.#supervise(resolve).finally(resolve);
    });
  }

  /** Ends the child and starts none any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#group?.end(graceMs);
    await this.#supervision;
  }

  async #supervise(isUp: () => void): Promise<void> {
    const { signal } = this.#stopping;
    for (let failures = 1; !signal.aborted; failures++) {
      const upstream = this.settings.upstreamUrl ?? new URL(`http://127.0.0.1:${await freePort()}`);
      const group = this.#launch(upstream);
      this.#group = group;
      const died = new AbortController();
      const end = group.ended.finally(() => died.abort());
      const answers = await untilAnswering(upstream, this.settings.readyPath, died.signal);
      const upSinceMs = performance.now();
      if (answers) {
        this.listener.up(upstream);
        isUp();
      }
      const ending = await end;
      if (signal.aborted) return;
      if (answers && performance.now() - upSinceMs >= goodHealthMs) failures = 1;
      const waitMs = restartDelayMs(failures, Math.random());
      this.#report(ending, answers, waitMs);
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }

  #launch(upstream: URL): ProcessGroup {
    const { command, environment, upstreamUrl, prefixLogs, maxLogLineBytes } = this.settings;
    const port = upstreamUrl === undefined ? { PORT: upstream.port, http_port: upstream.port } : {};
    const output = prefixLogs ? 'pipe' : 'inherit';
    const group = ProcessGroup.start(command, {
      environment: { ...environment, ...port }, stdio: ['ignore', output, output], guard: this.guard,
    });
    for (const [name, source, target] of [['stdout', group.stdout, this.log.out], ['stderr', group.stderr, this.log.err]] as const) {
      if (source !== null) void forwardLines(source, target, { prefix: () => datedPrefix(name), maxLineBytes: maxLogLineBytes });
    }
    return group;
  }

  #report(ending: Ending, answered: boolean, waitMs: number): void {
    const when = answered ? '' : ' before it answered';
    const reason = `the function's process ended${when}: ${describeEnding(ending)}`;
    this.log.error(`${reason}; starting it again in ${Math.round(waitMs)} ms`);
    this.listener.down({ ready: false, reason });
  }
}
