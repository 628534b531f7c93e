/**
 * One call passed on to the child and its answer passed back, both as they come: no side is buffered, a slow one slows the other.
 * Not here: the child's life (child.ts).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import type { Dispatcher } from 'undici';
import { BadRequest, readBody } from '../body.js';
import { endToEndHeaders } from '../hop-by-hop.js';
import type { Log } from '../log.js';
import { answerError, answerStopped, answerUnavailable } from '../own-answer.js';
import type { Invocation, StopReason } from '../runner.js';

/** Bodies announced to be this short are read first: one write instead of a stream's machinery. */
const shortBodyBytes = 16_384;

/** Where calls go: a connection pool to the child, and the path they start from. */
export interface Upstream {
  readonly pool: Dispatcher;
  /** Before the request's own path; '' or a path without a slash at its end. */
  readonly basePath: string;
}

/** Resolves when the response is ended or destroyed; never rejects. */
export async function passOn(
  request: IncomingMessage, response: ServerResponse, invocation: Invocation,
  upstream: Upstream, options: { readonly bufferBody: boolean; readonly log: Log },
): Promise<void> {
  const headers = endToEndHeaders(request.rawHeaders);
  let body: Buffer | PassThrough | null;
  try {
    body = await requestBody(request, headers, options.bufferBody);
  } catch (error) {
    if (error instanceof BadRequest) answerError(response, error.status, 'bad_request', error.message);
    return; // Else the client went while it sent: the response is closed with its connection.
  }
  await new Promise<void>((done) => {
    const exchange = new Exchange(response, invocation, options.log, done);
    const path = upstream.basePath + (request.url ?? '/');
    // Deadlines are the server's: undici's own timeouts are off.
    const call = { path, method: request.method as Dispatcher.HttpMethod, headers, body, headersTimeout: 0, bodyTimeout: 0 };
    upstream.pool.dispatch(call, exchange);
  });
}

/**
 * Null for none. A body that streams goes through a pipe of our own, because undici destroys what it is given when a call is stopped,
 * and with the request goes the connection on which the client awaits its 504.
 */
async function requestBody(request: IncomingMessage, headers: string[], whole: boolean): Promise<Buffer | PassThrough | null> {
  const length = request.headers['content-length'];
  if (length === undefined && request.headers['transfer-encoding'] === undefined) return null;
  if (whole || (length !== undefined && Number(length) <= shortBodyBytes)) {
    const body = await readBody(request);
    if (length === undefined) headers.push('Content-Length', String(body.length));
    return body;
  }
  const pipe = new PassThrough();
  pipe.on('error', () => undefined); // undici reports the call's failure
  return request.pipe(pipe);
}

/** undici's view of the call. */
class Exchange implements Dispatcher.DispatchHandler {
  #controller: Dispatcher.DispatchController | undefined;
  #stopped: StopReason | undefined;
  #ended = false;

  constructor(
    readonly response: ServerResponse, readonly invocation: Invocation, readonly log: Log, readonly done: () => void,
  ) {
    invocation.onAbort((reason) => {
      if (this.#ended) return;
      this.#stopped = reason;
      answerStopped(response, reason);
      this.#controller?.abort(reason);
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#stopped !== undefined) controller.abort(this.#stopped);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, _headers: unknown, reason?: string): void {
    if (status < 200) return; // an interim answer: the final one follows
    const headers = endToEndHeaders(latin1(controller.rawHeaders));
    const { response } = this;
    response.writeHead(status, reason === undefined || reason === '' ? undefined : reason, headers);
    // The head usually goes out with the first bytes of the body. Where those take their time (server-sent events), it goes alone.
    process.nextTick(() => {
      if (!this.#ended && !response.writableEnded) response.flushHeaders();
    });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.response.write(chunk)) return;
    controller.pause();
    this.response.once('drain', () => controller.resume());
  }

  onResponseEnd(): void {
    this.#ended = true;
    this.response.end();
    this.done();
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#ended = true;
    if (this.#stopped === undefined) this.#fail(error);
    this.done();
  }

  #fail(error: Error): void {
    const code = 'code' in error ? error.code : undefined;
    if (code === 'ECONNREFUSED' || code === 'UND_ERR_CONNECT_TIMEOUT') {
      answerUnavailable(this.response, 'function_unavailable', 'the function does not accept connections');
      return;
    }
    if (code === 'UND_ERR_INVALID_ARG') { // `OPTIONS *`, for instance
      answerError(this.response, 400, 'bad_request', `the request cannot be passed on: ${error.message}`);
      return;
    }
    const cut = this.response.headersSent ? 'within its answer' : 'before it answered';
    this.log.error(`the function's process broke the connection ${cut}: ${error.message}`, this.invocation.callId);
    answerError(this.response, 500, 'function_failed', `the function's process broke the connection ${cut}`);
  }
}

function latin1(raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  if (!Array.isArray(raw)) return [];
  return raw.map((item) => (typeof item === 'string' ? item : item.toString('latin1')));
}
