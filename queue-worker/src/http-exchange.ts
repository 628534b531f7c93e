/**
 * One HTTP request and its whole answer, straight on undici's dispatcher: no streams in between, headers as they came.
 * Not here: which hosts may be reached (callback-agent.ts), what an answer means (classify.ts, deliver-callback.ts).
 */
import type { HeaderList } from '@postern/queue';
import { type Dispatcher, errors } from 'undici';
import type { Deadline, Deadlines } from './deadlines.js';
import { BadCall, ExchangeError, TimedOut, Unreachable } from './errors.js';
import type { Answer } from './invoke.js';

export interface HttpRequest {
  /** `http://host:port`. */
  readonly origin: string;
  /** Path and query, beginning with `/`. */
  readonly target: string;
  readonly method: string;
  /** Flat: name, value, name, value … `Content-Length` is set from the body. */
  readonly headers: string[];
  readonly body: Uint8Array;
}

export interface ExchangeLimits {
  /** From now to the answer's last byte. */
  readonly timeoutMs: number;
  /** The message of the {@link TimedOut}: which limit, and where it is set. */
  readonly timeoutMessage: string;
  readonly maxBodyBytes: number;
  /** Of a longer answer the rest is not read, or is read and dropped, so that its sender can finish; or it fails as said. */
  readonly whenLonger: 'stop' | 'drop' | (() => Error);
  readonly signal: AbortSignal;
}

/**
 * @throws {TimedOut}
 * @throws {Unreachable}
 * @throws {BadCall}
 * @throws {ExchangeError} whatever the dispatcher's connector or `whenLonger` gave
 * @throws the signal's reason when it is aborted
 */
export function exchange(dispatcher: Dispatcher, request: HttpRequest, limits: ExchangeLimits, deadlines: Deadlines): Promise<Answer> {
  return new Promise((resolve, reject) => {
    if (limits.signal.aborted) {
      reject(limits.signal.reason as Error);
      return;
    }
    const { origin, target: path, method, headers, body } = request;
    if (method === 'CONNECT') {
      reject(new BadCall('This cannot be sent over HTTP: CONNECT has no answer.'));
      return;
    }
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    dispatcher.dispatch(
      { origin, path, method, headers, body: bytes, headersTimeout: 0, bodyTimeout: 0 },
      new Collector(limits, deadlines, resolve, reject),
    );
  });
}

class Collector implements Dispatcher.DispatchHandler {
  readonly #limits: ExchangeLimits;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: Error) => void;
  readonly #deadline: Deadline;
  readonly #letGo = (): void => { this.#fail(this.#limits.signal.reason as Error); };
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #status = 0;
  #headers: HeaderList = [];
  #controller: Dispatcher.DispatchController | undefined;
  #over: Error | 'answered' | undefined;

  constructor(limits: ExchangeLimits, deadlines: Deadlines, resolve: (answer: Answer) => void, reject: (error: Error) => void) {
    this.#limits = limits;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#deadline = deadlines.in(limits.timeoutMs, () => { this.#fail(new TimedOut(limits.timeoutMessage)); });
    limits.signal.addEventListener('abort', this.#letGo);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Given up while it waited for a connection: it must not be sent any more.
    if (this.#over instanceof Error) controller.abort(this.#over);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = headerList(controller.rawHeaders);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { maxBodyBytes, whenLonger } = this.#limits;
    if (this.#over !== undefined) return;
    this.#bytes += chunk.byteLength;
    if (this.#bytes <= maxBodyBytes) {
      this.#chunks.push(chunk);
    } else if (typeof whenLonger === 'function') {
      this.#fail(whenLonger());
    } else if (whenLonger === 'stop') {
      this.#succeed();
      controller.abort(new Unreachable('read enough', true));
    }
  }

  onResponseEnd(): void {
    this.#succeed();
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (error instanceof ExchangeError) this.#fail(error);
    else if (refusedByUndici(error)) this.#fail(new BadCall(`This cannot be sent over HTTP: ${error.message}.`, { cause: error }));
    else this.#fail(new Unreachable(describe(error), this.#controller !== undefined, { cause: error }));
  }

  #succeed(): void {
    if (!this.#settle('answered')) return;
    const [only] = this.#chunks;
    const body = this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks);
    this.#resolve({ status: this.#status, headers: this.#headers, body });
  }

  #fail(error: Error): void {
    if (!this.#settle(error)) return;
    this.#reject(error);
    this.#controller?.abort(error);
  }

  #settle(how: Error | 'answered'): boolean {
    if (this.#over !== undefined) return false;
    this.#over = how;
    this.#deadline.cancel();
    this.#limits.signal.removeEventListener('abort', this.#letGo);
    return true;
  }
}

function headerList(raw: Dispatcher.DispatchController['rawHeaders']): HeaderList {
  if (!Array.isArray(raw)) return [];
  const list: (readonly [string, string])[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) list.push([latin1(raw[i]), latin1(raw[i + 1])]);
  return list;
}

function refusedByUndici(error: Error): boolean {
  return error instanceof errors.InvalidArgumentError || error instanceof errors.NotSupportedError;
}

function latin1(bytes: Buffer | string | undefined): string {
  return typeof bytes === 'string' ? bytes : bytes?.toString('latin1') ?? '';
}

/** `connect ECONNREFUSED 127.0.0.1:9`, also when several addresses were tried and each failed. */
function describe(error: Error): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map((each) => String((each as Error).message)).join('; ');
  return error.message;
}
