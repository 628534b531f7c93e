/**
 * A queued call run in the gateway's own process: the worker asks here instead of over HTTP. The answer is collected
 * whole, because it becomes a callback. Failures of the gateway's making are answers too, marked as everywhere.
 */
import type { HeaderList } from '@postern/queue';
import { type ErrorAnswer, errorAnswer } from './error-answer.js';
import type { GatewayError } from './errors.js';
import { type AnswerSink, Exchange, type FunctionRequest } from './exchange.js';
import type { FunctionTable } from './function-table.js';
import { answerHeaders } from './headers.js';

export interface Answer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Uint8Array;
}

export interface Invocation extends FunctionRequest {
  /** `name.namespace`. */
  readonly function: string;
  readonly signal: AbortSignal;
  readonly maxAnswerBytes: number;
  /** What becomes of a longer answer: an `answer_too_large` error of the gateway's, or its body is cut there, for who needs no more than the status. */
  readonly whenLonger: 'fail' | 'cut';
}

/** @throws the signal's reason when aborted; nothing else */
export function invoke(table: FunctionTable, invocation: Invocation, upstreamTimeoutMs: number): Promise<Answer> {
  const entry = table.get(invocation.function);
  if (entry === undefined) {
    return Promise.resolve(toAnswer(table.synced
      ? errorAnswer('function_not_found', `No function ${invocation.function} is deployed.`)
      : errorAnswer('provider_unavailable', 'The provider has not yet said which functions there are.')));
  }
  // Any NATS client can publish a call; a tunnel has no answer to wait for.
  if (invocation.method === 'CONNECT') return Promise.resolve(toAnswer(errorAnswer('bad_call', 'CONNECT opens a tunnel: no function can answer it.')));
  return new Promise((resolve, reject) => {
    const startMs = performance.now();
    const { signal } = invocation;
    const over = (status: number) => {
      signal.removeEventListener('abort', giveUp);
      entry.metrics.finished(status, (performance.now() - startMs) / 1_000);
    };
    const sink = new CollectingSink(invocation, (answer) => {
      over(answer.status);
      resolve(answer);
    }, () => { exchange.abort(); });
    const exchange = new Exchange(entry, invocation, sink, upstreamTimeoutMs);
    const giveUp = () => {
      exchange.abort();
      over(499);
      reject(signal.reason as Error);
    };
    entry.metrics.started();
    if (signal.aborted) {
      giveUp();
      return;
    }
    signal.addEventListener('abort', giveUp, { once: true });
    exchange.start();
  });
}

class CollectingSink implements AnswerSink {
  readonly #limits: Pick<Invocation, 'maxAnswerBytes' | 'whenLonger'>;
  readonly #done: (answer: Answer) => void;
  readonly #stop: () => void;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #status = 0;
  #headers: HeaderList = [];

  constructor(limits: Pick<Invocation, 'maxAnswerBytes' | 'whenLonger'>, done: (answer: Answer) => void, stop: () => void) {
    this.#limits = limits;
    this.#done = done;
    this.#stop = stop;
  }

  begin(status: number, raw: readonly (Buffer | string)[]): void {
    this.#status = status;
    this.#headers = pairs(answerHeaders(raw));
  }

  write(chunk: Buffer): boolean {
    const { maxAnswerBytes, whenLonger } = this.#limits;
    this.#bytes += chunk.byteLength;
    if (this.#bytes <= maxAnswerBytes) {
      this.#chunks.push(chunk);
    } else if (whenLonger === 'fail') {
      this.#stop();
      this.#done(toAnswer(errorAnswer('answer_too_large', `The function's answer is over max_body_bytes (${maxAnswerBytes} bytes), too long for a callback.`)));
    }
    return true;
  }

  end(): void {
    const [only] = this.#chunks;
    const body = this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks);
    this.#done({ status: this.#status, headers: this.#headers, body });
  }

  fail(error: GatewayError): void {
    this.#done(toAnswer(errorAnswer(error.code, error.message)));
  }
}

function toAnswer(error: ErrorAnswer): Answer {
  return { status: error.status, headers: Object.entries(error.headers), body: Buffer.from(error.body) };
}

function pairs(flat: readonly string[]): HeaderList {
  const list: (readonly [string, string])[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) list.push([flat[i] ?? '', flat[i + 1] ?? '']);
  return list;
}
