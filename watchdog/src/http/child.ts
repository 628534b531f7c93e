/**
 * Keeps the function's process running: starts it, waits until it answers, and starts it again whenever it ends, with exit code 0 too.
 * Not here: the calls (exchange.ts).
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { OrphanGuard } from '../guard.js';
import { datedPrefix, forwardLines } from '../lines.js';
import type { Log } from '../log.js';
import { describeEnding, findProgram, ProcessGroup } from '../process-group.js';
import type { Readiness } from '../runner.js';
import type { Settings } from '../settings.js';
import { restartDelayMs } from './backoff.js';
import { accepts, freePort, portOf, untilAnswering } from './probe.js';

/** The settings of a supervised child. */
export type ChildSettings = Pick<Settings,
  'command' | 'environment' | 'upstreamUrl' | 'readyPath' | 'prefixLogs' | 'maxLogLineBytes'>;

/** A child that lived this long in good health starts its backoff anew. */
const goodHealthMs = 10_000;
/** Between SIGTERM and SIGKILL. */
const graceMs = 2_000;

/** Of functions that start at once on one upstream_url all find the port free, and all but one die of it within this. */
const settleMs = 500;

/** Told of each life of the child. */
export interface ChildListener {
  /** A new child answers at `upstream`. Awaited, `died` being aborted when it ends before that. */
  up(upstream: URL, died: AbortSignal): Promise<void>;
  /** It has ended, or another is being waited for. */
  down(readiness: Readiness & { readonly ready: false }): void;
}

/** How one child's life went. */
interface Life {
  /** In one line. */
  readonly end: string;
  readonly inHealthMs: number;
}

/** Supervises one child at a time. */
export class Child {
  readonly #stopping = new AbortController();
  #group: ProcessGroup | undefined;
  #supervision: Promise<void> = Promise.resolve();

  /** @param startLimitMs - a child that does not answer within it is ended and counts as failed */
  constructor(
    readonly settings: ChildSettings, readonly guard: OrphanGuard, readonly log: Log, readonly listener: ChildListener,
    readonly startLimitMs = 30_000,
  ) {}

  /** Resolves once a child answers, or the supervisor is stopped. @throws {Error} there is no such program */
  async start(): Promise<void> {
    const [program = ''] = this.settings.command;
    if (findProgram(program, this.settings.environment) === undefined) throw new Error(`${program}: no such program`);
    await new Promise<void>((resolve, reject) => {
      this.#supervision = this.#supervise(resolve).then(resolve, reject);
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
      const life = await this.#liveOnce(isUp);
      if (signal.aborted) return;
      if (life.inHealthMs >= goodHealthMs) failures = 1;
      const waitMs = restartDelayMs(failures, Math.random());
      this.log.error(`${life.end}; starting it again in ${Math.round(waitMs)} ms`);
      this.listener.down({ ready: false, reason: life.end });
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** From a child's launch until nothing of it is left. Never rejects, unless the listener does. */
  async #liveOnce(isUp: () => void): Promise<Life> {
    const found = await this.#findPort();
    if (typeof found === 'string') return { end: found, inHealthMs: 0 };
    if (this.#stopping.signal.aborted) return { end: 'stopped before it was started', inHealthMs: 0 };
    const group = this.#launch(found);
    this.#group = group;
    const died = new AbortController();
    const giveUp = new AbortController();
    const limit = setTimeout(() => giveUp.abort(), this.startLimitMs);
    const ended = group.ended.finally(() => {
      died.abort();
      giveUp.abort();
    });
    let answers = await untilAnswering(found, this.settings.readyPath, giveUp.signal);
    clearTimeout(limit);
    if (answers && found === this.settings.upstreamUrl) {
      await delay(settleMs, undefined, { signal: died.signal }).catch(() => undefined);
      answers = !died.signal.aborted;
    }
    if (!answers && !died.signal.aborted) {
      await group.end(graceMs);
      return { end: `the function's process did not answer at ${found.href} within ${this.startLimitMs / 1_000} s`, inHealthMs: 0 };
    }
    const upSinceMs = performance.now();
    if (answers) {
      await this.listener.up(found, died.signal);
      isUp();
    }
    const ending = describeEnding(await ended);
    if (!answers) return { end: `the function's process ended before it answered: ${ending}`, inHealthMs: 0 };
    return { end: `the function's process ended: ${ending}`, inHealthMs: performance.now() - upSinceMs };
  }

  /** Where the next child is to listen, or why it cannot. */
  async #findPort(): Promise<URL | string> {
    const { upstreamUrl } = this.settings;
    if (upstreamUrl === undefined) {
      return freePort().then(
        (port) => new URL(`http://127.0.0.1:${port}`),
        (error: unknown) => `there is no free port: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    // Else the other's answers would pass for the function's.
    if (await accepts(upstreamUrl)) return `port ${portOf(upstreamUrl)} is taken by another process (upstream_url=${upstreamUrl.href})`;
    return upstreamUrl;
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
}
