/**
 * One request to a function: waits for a replica, sends, and hands the answer to a sink piece by piece. The same for a
 * streamed sync call and for a queued call that the worker runs in this process.
 *
 *     waiting ──replica──▶ sent ──answer begins──▶ answering ──▶ over
 *        ▲                  │ refused, nothing read yet
 *        └──────────────────┘ (another replica first)
 *
 * Whatever happens, the sink hears `end` or `fail` exactly once.
 */
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { GatewayError } from './errors.js';
import { type FunctionEntry, type Target, maxAnswerHeaderBytes } from './function-table.js';

/** What is sent to a function. */
export interface FunctionRequest {
  readonly method: string;
  /** Path and query as they stand on the request line; begins with `/`. */
  readonly target: string;
  /** Flat: name, value, name, value … */
  readonly headers: string[];
  readonly body: Readable | Uint8Array | null;
}

/** Who takes the answer. */
export interface AnswerSink {
  /** @param raw - the answer's header list, flat, as bytes */
  begin(status: number, raw: readonly (Buffer | string)[]): void;
  /** @returns false to be sent no more until {@link Exchange.resume} */
  write(chunk: Buffer): boolean;
  end(): void;
  fail(error: GatewayError): void;
}

/** A single replica that refuses is asked again this soon when the provider has not said anything new of it. */
const refusedAgainMs = 250;

export class Exchange implements Dispatcher.DispatchHandler {
  readonly #entry: FunctionEntry;
  readonly #request: FunctionRequest;
  readonly #sink: AnswerSink;
  readonly #timeoutMs: number;
  readonly #deadline: number;
  #target: Target | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #refusedBy: Set<Target> | undefined;
  #stopWaiting: (() => void) | undefined;
  #uploading: NodeJS.Timeout | undefined;
  #state: 'waiting' | 'sent' | 'answering' | 'over' = 'waiting';

  /** @param timeoutMs - until the answer begins, and between two pieces of it; 0 is no limit */
  constructor(entry: FunctionEntry, request: FunctionRequest, sink: AnswerSink, timeoutMs: number) {
    this.#entry = entry;
    this.#request = request;
    this.#sink = sink;
    this.#timeoutMs = timeoutMs;
    this.#deadline = timeoutMs === 0 ? Infinity : Date.now() + timeoutMs;
  }

  start(): void {
    const target = this.#entry.pick(this.#refusedBy);
    if (target) this.#send(target);
    else this.#wait();
  }

  /** The caller has gone or lost interest: the function's work is given up; the sink hears nothing more. */
  abort(): void {
    if (this.#state === 'over') return;
    this.#finish();
    this.#controller?.abort(new Error('the caller has gone'));
  }

  resume(): void {
    this.#controller?.resume();
  }

  /** The replica that answered, for logs; empty while none has. */
  get replica(): string {
    return this.#target?.replica ?? '';
  }

  #send(target: Target): void {
    this.#target = target;
    this.#state = 'sent';
    target.inFlight++;
    const { method, target: path, headers, body } = this.#request;
    const leftMs = this.#timeoutMs === 0 ? 0 : Math.max(1, this.#deadline - Date.now());
    // undici's own limit does not run while a body is being sent, and a caller may stop in the middle of one.
    if (body instanceof Readable && leftMs > 0) this.#uploading = setTimeout(() => { this.#failSent(new Error('the body took too long')); }, leftMs);
    target.pool.dispatch({ method, path, headers, body, headersTimeout: leftMs, bodyTimeout: this.#timeoutMs }, this);
  }

  #wait(): void {
    if (this.#entry.removed) {
      this.#fail(new GatewayError('function_not_found', `${this.#entry.ref.name} was removed while the request waited for a replica.`));
      return;
    }
    this.#state = 'waiting';
    const refused = this.#refusedBy !== undefined;
    const leftMs = this.#deadline - Date.now();
    const again = () => {
      this.#stopWaiting?.();
      this.#stopWaiting = undefined;
      this.#refusedBy = undefined;
      this.start();
    };
    const timer = setTimeout(() => {
      if (refused && this.#deadline > Date.now()) again();
      else this.#fail(this.#noReplica());
    }, Math.min(Math.max(leftMs, 0), refused ? refusedAgainMs : 2 ** 31 - 1));
    const forget = this.#entry.onceChanged(again);
    this.#stopWaiting = () => {
      clearTimeout(timer);
      forget();
    };
  }

  #noReplica(): GatewayError {
    const { state } = this.#entry;
    const why = state.reason ?? (state.replicas === 0 ? 'it is scaled to zero' : 'its replicas are still starting');
    return new GatewayError('no_replica_ready',
      `No replica of ${state.spec.name} became ready within upstream_timeout (${this.#timeoutMs / 1_000}s): ${why}.`);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#state === 'over') controller.abort(new Error('the caller has gone'));
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200 || this.#state === 'over') return;
    this.#state = 'answering';
    clearTimeout(this.#uploading);
    // undici types the raw list by its origin; over HTTP/1 it is a flat list of buffers.
    this.#sink.begin(status, (controller.rawHeaders ?? []) as readonly (Buffer | string)[]);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#state !== 'over' && !this.#sink.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#state === 'over') return;
    this.#finish();
    this.#sink.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#state === 'over') return;
    const target = this.#target;
    if (this.#controller === undefined && target !== undefined && isConnectFailure(error) && this.#deadline > Date.now()) {
      // Nothing of the request has been read: another replica may have it.
      target.inFlight--;
      this.#target = undefined;
      clearTimeout(this.#uploading);
      (this.#refusedBy ??= new Set()).add(target);
      this.start();
      return;
    }
    this.#fail(this.#failure(error));
  }

  #failure(error: Error): GatewayError {
    const name = this.#entry.state.spec.name;
    switch ((error as NodeJS.ErrnoException).code) {
      case 'UND_ERR_HEADERS_TIMEOUT': return this.#tooLate(error);
      case 'UND_ERR_INVALID_ARG':
      case 'UND_ERR_NOT_SUPPORTED':
      case 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH':
        return new GatewayError('bad_call', `The request cannot be sent to ${name}: ${error.message}.`, { cause: error });
      case 'UND_ERR_HEADERS_OVERFLOW':
        return new GatewayError('replica_failed', `The headers of ${name}'s answer are over ${maxAnswerHeaderBytes} bytes.`, { cause: error });
      case 'UND_ERR_BODY_TIMEOUT':
        return new GatewayError('upstream_timeout', `${name} stopped in the middle of its answer for longer than upstream_timeout.`, { cause: error });
      default:
        return this.#controller === undefined
          ? new GatewayError('replica_unreachable', `No replica of ${name} could be reached: see its logs.`, { cause: error })
          : new GatewayError('replica_failed', `The replica of ${name} ended the connection before it had answered: see its logs.`, { cause: error });
    }
  }

  #tooLate(cause: Error): GatewayError {
    return new GatewayError('upstream_timeout',
      `${this.#entry.state.spec.name} did not begin its answer within upstream_timeout (${this.#timeoutMs / 1_000}s): raise the setting.`, { cause });
  }

  /** Gives up a request that is on its way. */
  #failSent(cause: Error): void {
    const controller = this.#controller;
    this.#fail(this.#tooLate(cause));
    controller?.abort(cause);
  }

  #fail(error: GatewayError): void {
    this.#finish();
    this.#sink.fail(error);
  }

  #finish(): void {
    this.#state = 'over';
    this.#stopWaiting?.();
    clearTimeout(this.#uploading);
    if (this.#target) this.#target.inFlight--;
    // One that waited for a replica was never given to undici, which else does this.
    if (this.#request.body instanceof Readable) this.#request.body.destroy();
  }
}

function isConnectFailure(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNREFUSED' || code === 'ECONNRESET' || code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'UND_ERR_SOCKET'
    || code === 'EHOSTUNREACH' || code === 'ENETUNREACH' || code === 'UND_ERR_CLOSED' || code === 'UND_ERR_DESTROYED';
}
