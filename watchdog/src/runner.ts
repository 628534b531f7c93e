/**
 * The port between the watchdog's server and a way of running a function (http, streaming, serializing, static, inproc).
 * The server owns the deadline, the limit on calls in flight and the access log; a runner owns the function.
 * Not here: the answers of the watchdog's own making (own-answer.ts).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * What a runner tells of the function: whether it can answer now, and if not, why, in one line.
 * `final`: it never will in this process, which ends as soon as the calls that run have.
 */
export type Readiness =
  | { readonly ready: true }
  | { readonly ready: false; readonly reason: string; readonly final?: true };

/** One call to the function, as the server hands it to a runner. */
export interface Invocation {
  /** The X-Call-Id of the request; '' when it has none. */
  readonly callId: string;
  /** Aborted at the deadline, when the client has gone, or when the drain's deadline has passed; `reason` is a {@link StopReason}. */
  readonly signal: AbortSignal;
  /**
   * What `signal` does for one listener, without its price: a listener on a fresh AbortSignal costs 5 µs, this one next to nothing.
   * The listener is called at once when the call is aborted already; a second one replaces the first.
   */
  onAbort(listener: (reason: StopReason) => void): void;
  /** The time allowed to this call in milliseconds; 0: no limit. */
  readonly execTimeoutMs: number;
}

/** A way of running the function. */
export interface Runner {
  /** Resolves when the function can answer; rejects with a one-line reason when it never can (missing program, handler that does not load). */
  start(): Promise<void>;
  /** Answers the request. Whatever happens, the response is ended, or its connection destroyed. */
  handle(request: IncomingMessage, response: ServerResponse, invocation: Invocation): Promise<void>;
  /** The listener is told at once and on each change. */
  onReadiness(listener: (readiness: Readiness) => void): void;
  /** Ends the function's processes; after it nothing of them is left. */
  stop(): Promise<void>;
}

/** Why a call is stopped before its answer is complete. */
export type StopReason = ExecTimeout | ClientGone | DrainTimeout;

/** The call ran past its deadline: answered 504 while the headers are unsent. */
export class ExecTimeout extends Error {
  override readonly name = 'ExecTimeout';

  /**
   * @param limitMs - the time the call was allowed, in milliseconds
   * @param setBy - the setting or header that says so
   */
  constructor(readonly limitMs: number, readonly setBy: 'exec_timeout' | 'X-Timeout' = 'exec_timeout') {
    super(`the function did not answer within ${limitMs / 1_000}s (${setBy})`);
  }
}

/** The client closed its connection: nobody is left to answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
  constructor() {
    super('the client has gone');
  }
}

/** The watchdog is shutting down and the time to finish what runs is over: answered 503 while the headers are unsent. */
export class DrainTimeout extends Error {
  override readonly name = 'DrainTimeout';
  constructor() {
    super('the function is shutting down');
  }
}
