/**
 * `/function/NAME`: a sync call, streamed both ways. A slow reader slows the function; a caller that goes away ends the
 * function's work.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { callIdOf, nowNs } from './call-id.js';
import { errorAnswer, sendError } from './error-answer.js';
import type { GatewayError } from './errors.js';
import { type AnswerSink, Exchange, type FunctionRequest } from './exchange.js';
import type { FunctionAddress } from './function-address.js';
import type { FunctionEntry } from './function-table.js';
import { answerHeaders, endToEndHeaders } from './headers.js';
import type { GatewayMetrics } from './metrics.js';
import { announcedLength, bodyStream, discardRest, readBody } from './request-body.js';

export interface ProxyOptions {
  readonly upstreamTimeoutMs: number;
  /** How long an answer waits for a caller that does not read; 0 is no limit. */
  readonly writeTimeoutMs: number;
  readonly servedBy: string;
  readonly metrics: GatewayMetrics;
  readonly log: Logger;
}

/** What fits one packet buffer is sent on as a whole: cheaper, and another replica can have it when one refuses. */
const inOnePieceBytes = 16_384;

const saidAnew: ReadonlySet<string> = new Set(['x-call-id', 'x-start-time', 'x-served-by']);

export function proxy(req: IncomingMessage, res: ServerResponse, address: FunctionAddress, entry: FunctionEntry, options: ProxyOptions): void {
  const callId = callIdOf(req.headers['x-call-id']);
  const startNs = nowNs();
  const headers = endToEndHeaders(req);
  headers.push('X-Call-Id', callId, 'X-Start-Time', startNs);
  const path = address.path === '' ? '/' : address.path;
  const sink = new ResponseSink(req, res, entry, callId, startNs, options);
  const send = (body: FunctionRequest['body']) => {
    const exchange = new Exchange(entry, {
      method: req.method ?? 'GET', target: address.query === '' ? path : `${path}?${address.query}`, headers, body,
    }, sink, options.upstreamTimeoutMs);
    sink.exchange = exchange;
    exchange.start();
  };
  entry.metrics.started();
  res.on('close', () => { sink.callerClosed(); });

  const length = announcedLength(req);
  if (length === 0) send(null);
  else if (length === undefined || length > inOnePieceBytes) send(bodyStream(req));
  else {
    readBody(req, inOnePieceBytes, (error, body) => {
      if (error === undefined) send(body);
    });
  }
}

class ResponseSink implements AnswerSink {
  exchange: Exchange | undefined;
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #entry: FunctionEntry;
  readonly #callId: string;
  readonly #startNs: string;
  readonly #startMs = performance.now();
  readonly #options: ProxyOptions;
  #status = 0;
  #paused = false;
  #wrote = false;
  #counted = false;

  constructor(req: IncomingMessage, res: ServerResponse, entry: FunctionEntry, callId: string, startNs: string, options: ProxyOptions) {
    this.#req = req;
    this.#res = res;
    this.#entry = entry;
    this.#callId = callId;
    this.#startNs = startNs;
    this.#options = options;
  }

  begin(status: number, raw: readonly (Buffer | string)[]): void {
    const headers = answerHeaders(raw, saidAnew);
    headers.push('X-Call-Id', this.#callId, 'X-Start-Time', this.#startNs, 'X-Served-By', this.#options.servedBy);
    this.#status = status;
    this.#res.writeHead(status, headers);
    // Headers normally leave together with the first bytes; where those are not there yet (SSE), on their own.
    process.nextTick(() => {
      if (!this.#wrote && !this.#res.writableEnded) this.#res.flushHeaders();
    });
  }

  write(chunk: Buffer): boolean {
    this.#wrote = true;
    if (this.#res.write(chunk)) return true;
    if (!this.#paused) {
      this.#paused = true;
      const { writeTimeoutMs } = this.#options;
      // Destroying the response is how a caller's leave is heard of, too.
      const unread = writeTimeoutMs === 0 ? undefined : setTimeout(() => { this.#res.destroy(); }, writeTimeoutMs);
      this.#res.once('close', () => { clearTimeout(unread); });
      this.#res.once('drain', () => {
        clearTimeout(unread);
        this.#paused = false;
        this.exchange?.resume();
      });
    }
    return false;
  }

  end(): void {
    this.#res.end();
    discardRest(this.#req);
    this.#count(this.#status);
  }

  fail(error: GatewayError): void {
    const answer = errorAnswer(error.code, error.message);
    this.#options.metrics.refused(error.code);
    this.#options.log.warn({
      call_id: this.#callId, function: this.#entry.ref.name, namespace: this.#entry.ref.namespace, replica: this.exchange?.replica,
      code: error.code, status: answer.status, err: error,
    }, 'function call failed');
    this.#count(answer.status);
    sendError(this.#res, answer, { 'X-Call-Id': this.#callId, 'X-Start-Time': this.#startNs });
    discardRest(this.#req);
  }

  /** After a whole answer this is only the end of the response; before, the caller has gone. */
  callerClosed(): void {
    if (this.#counted) return;
    this.exchange?.abort();
    this.#count(499);
  }

  #count(status: number): void {
    if (this.#counted) return;
    this.#counted = true;
    this.#entry.metrics.finished(status, (performance.now() - this.#startMs) / 1_000);
  }
}
