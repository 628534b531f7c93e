/**
 * The calls in flight: each one's way to be stopped, and one sweep for all their deadlines.
 * Not here: the limit and the answers (server.ts).
 */
import type { ServerResponse } from 'node:http';
import { ExecTimeout, type Invocation, type StopReason } from './runner.js';

/** A call in flight. */
export class Call implements Invocation {
  #controller: AbortController | undefined;
  #listener: ((reason: StopReason) => void) | undefined;
  #reason: StopReason | undefined;
  /** At the last sweep a part of the answer waited for the client. */
  writing = false;

  /**
   * @param startedMs - by performance.now()
   * @param timeoutSetBy - what `execTimeoutMs` comes from, for the error's text
   */
  constructor(
    readonly callId: string, readonly execTimeoutMs: number, readonly timeoutSetBy: 'exec_timeout' | 'X-Timeout',
    readonly startedMs: number, readonly response: ServerResponse,
  ) {}

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  onAbort(listener: (reason: StopReason) => void): void {
    this.#listener = listener;
    if (this.#reason !== undefined) listener(this.#reason);
  }

  /** Stops the call; the first reason counts. */
  abort(reason: StopReason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    this.#listener?.(reason);
  }
}

/** A deadline is noticed at most this late: one timer for all calls costs less than one each. */
const sweepEveryMs = 50;

/** The calls in flight. */
export class CallTable {
  readonly #calls = new Set<Call>();
  #sweeper: NodeJS.Timeout | undefined;
  #emptied: (() => void) | undefined;

  /** @param writeTimeoutMs - a client that takes no byte of a waiting answer for so long is cut off; 0: never */
  constructor(readonly writeTimeoutMs: number) {}

  get size(): number {
    return this.#calls.size;
  }

  /** The call ids of those in flight that have one. */
  ids(): string[] {
    return Array.from(this.#calls, (call) => call.callId).filter((id) => id !== '');
  }

  abortAll(reason: StopReason): void {
    for (const call of this.#calls) call.abort(reason);
  }

  add(call: Call): void {
    this.#calls.add(call);
    this.#sweeper ??= setInterval(this.#sweep, sweepEveryMs);
  }

  remove(call: Call): void {
    this.#calls.delete(call);
    if (this.#calls.size === 0) this.#emptied?.();
  }

  /** Resolves with true when no call is left, with false after `limitMs` (0: no limit). */
  async empty(limitMs: number): Promise<boolean> {
    if (this.#calls.size === 0) return true;
    return new Promise((resolve) => {
      const timer = limitMs === 0 ? undefined : setTimeout(() => resolve(false), limitMs);
      this.#emptied = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  readonly #sweep = (): void => {
    if (this.#calls.size === 0) {
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
    }
    const nowMs = performance.now();
    for (const call of this.#calls) {
      if (call.execTimeoutMs !== 0 && nowMs - call.startedMs >= call.execTimeoutMs) {
        call.abort(new ExecTimeout(call.execTimeoutMs, call.timeoutSetBy));
      }
      if (this.writeTimeoutMs !== 0) this.#watchWriting(call);
    }
  };

  /**
   * Node's own inactivity timer is set while a part of the answer waits for the client, and only then:
   * a function that thinks for long is the deadline's business.
   */
  #watchWriting(call: Call): void {
    const writing = call.response.writableLength > 0;
    if (writing === call.writing) return;
    call.writing = writing;
    call.response.socket?.setTimeout(writing ? this.writeTimeoutMs : 0);
  }
}
