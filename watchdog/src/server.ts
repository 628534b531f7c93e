/**
 * The watchdog's HTTP server: its own routes, the limit on calls in flight, deadlines, the access log, the drain.
 * Not here: how a function answers (the runners); what ends the process (main.ts).
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Call, CallTable } from './call.js';
import { parseDuration } from './duration.js';
import { FunctionResponse } from './function-response.js';
import type { Log } from './log.js';
import { urlHost, type Metrics } from './metrics.js';
import { answerError, answerUnavailable } from './own-answer.js';
import { ClientGone, DrainTimeout, type Readiness, type Runner } from './runner.js';
import type { Settings } from './settings.js';

/** The settings the server reads. */
export type ServerSettings = Pick<Settings,
  'readTimeoutMs' | 'writeTimeoutMs' | 'execTimeoutMs' | 'maxInflight' | 'readyPath' | 'lameDuckMs'>;

const maxHeaderSize = 1 << 20; // of-watchdog's
/** Longer than the pools in front keep a connection: they close it first, so that no call meets a closing one. */
const keepAliveTimeoutMs = 75_000;

/** Serves one function. */
export class FunctionServer {
  readonly #server: Server<typeof IncomingMessage, typeof FunctionResponse>;
  readonly #calls: CallTable;
  #readiness: Readiness = { ready: false, reason: 'the function is starting' };
  /** `lame duck`: unready, but calls are still taken; `draining`: none is. */
  #phase: 'serving' | 'lame duck' | 'draining' = 'serving';

  constructor(readonly settings: ServerSettings, readonly runner: Runner, readonly metrics: Metrics, readonly log: Log) {
    this.#calls = new CallTable(settings.writeTimeoutMs);
    this.#server = createServer({
      ServerResponse: FunctionResponse, maxHeaderSize, keepAliveTimeout: keepAliveTimeoutMs,
      headersTimeout: settings.readTimeoutMs, requestTimeout: settings.readTimeoutMs, connectionsCheckingInterval: 1_000,
    }, this.#onRequest);
  }

  /** Calls that are running now. */
  get inFlight(): number {
    return this.#calls.size;
  }

  /** @returns the server's URL. Rejects when the port is taken. */
  async listen(port: number, host: string): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen({ port, host, backlog: 1_024 }, resolve);
    });
    // A TCP server's address is an object.
    return `http://${urlHost(host)}:${(this.#server.address() as AddressInfo).port}`;
  }

  /** While the function is not ready its calls are answered 503. */
  setReadiness(readiness: Readiness): void {
    this.#readiness = readiness;
  }

  /**
   * Unready at once, takes nothing new after `healthcheck_interval`, and waits for what runs.
   * @returns whether all finished within the longer of exec_timeout and write_timeout; those that did not are stopped
   */
  async drain(): Promise<boolean> {
    const { lameDuckMs, execTimeoutMs, writeTimeoutMs } = this.settings;
    if (lameDuckMs > 0) {
      this.#phase = 'lame duck';
      await delay(lameDuckMs);
    }
    this.#phase = 'draining';
    const finished = await this.#calls.empty(Math.max(execTimeoutMs, writeTimeoutMs));
    if (!finished) {
      this.log.error(`shutting down: ${this.#calls.size} calls did not finish in time: ${this.#calls.ids().join(', ')}`);
      this.#calls.abortAll(new DrainTimeout());
    }
    return finished;
  }

  /** Closes every connection. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  readonly #onRequest = (request: IncomingMessage, response: FunctionResponse): void => {
    const path = request.url ?? '/';
    if (path.startsWith('/_/') && this.#answerOwnRoute(path, request, response)) return;
    const call = this.#accept(request, response);
    response.once('close', () => this.#finish(request, response, call));
    if (call === undefined) return;
    this.#calls.add(call);
    this.#run(request, response, call);
  };

  /** The call, unless it was refused and answered. */
  #accept(request: IncomingMessage, response: FunctionResponse): Call | undefined {
    const { maxInflight, execTimeoutMs } = this.settings;
    const { callId, askedMs } = callHeaders(request.rawHeaders);
    const call = askedMs !== undefined && askedMs > 0 && (execTimeoutMs === 0 || askedMs < execTimeoutMs)
      ? new Call(callId, askedMs, 'X-Timeout', response.startedMs, response)
      : new Call(callId, execTimeoutMs, 'exec_timeout', response.startedMs, response);
    if (this.#phase === 'draining') {
      answerError(response, 503, 'shutting_down', 'the function is shutting down', { 'Retry-After': '1', Connection: 'close' });
    } else if (!this.#readiness.ready) {
      answerUnavailable(response, 'function_unavailable', this.#readiness.reason);
    } else if (maxInflight !== 0 && this.#calls.size >= maxInflight) {
      this.#refuse(response);
    } else {
      return call;
    }
    return undefined;
  }

  #run(request: IncomingMessage, response: FunctionResponse, call: Call): void {
    this.runner.handle(request, response, call).catch((error: unknown) => {
      this.log.error(`the call failed: ${error instanceof Error ? error.stack ?? error.message : String(error)}`, call.callId);
      answerError(response, 500, 'function_failed', 'the function failed');
    });
  }

  #finish(request: IncomingMessage, response: FunctionResponse, call: Call | undefined): void {
    const sent = response.writableFinished;
    if (call !== undefined) {
      this.#calls.remove(call);
      if (!sent) call.abort(new ClientGone());
    }
    const method = request.method ?? '';
    const status = sent || response.headersSent ? response.statusCode : 499;
    const seconds = (performance.now() - response.startedMs) / 1_000;
    this.metrics.count(method, status, seconds);
    this.log.answer({
      method, uri: request.url ?? '', status, contentLength: response.contentLength, seconds,
      callId: call?.callId ?? '',
    });
  }

  #refuse(response: FunctionResponse): void {
    const { maxInflight } = this.settings;
    answerError(response, 429, 'too_many_requests', `the function runs ${maxInflight} calls at a time (max_inflight)`, { 'Retry-After': '1' });
  }

  /** @returns false when the path is the function's after all */
  #answerOwnRoute(path: string, request: IncomingMessage, response: FunctionResponse): boolean {
    const query = path.indexOf('?');
    const route = query === -1 ? path : path.slice(0, query);
    if (route !== '/_/health' && route !== '/_/ready') return false;
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      answerError(response, 405, 'method_not_allowed', `${route} answers GET only`, { Allow: 'GET' });
    } else if (this.#phase !== 'serving') {
      answerUnavailable(response, 'shutting_down', 'the function is shutting down');
    } else if (!this.#readiness.ready) {
      answerUnavailable(response, 'function_unavailable', this.#readiness.reason);
    } else if (route === '/_/ready' && this.settings.maxInflight !== 0 && this.#calls.size >= this.settings.maxInflight) {
      this.#refuse(response);
    } else if (route === '/_/ready' && this.settings.readyPath !== '') {
      this.#askFunction(request, response);
    } else {
      response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': 2 }).end('OK');
    }
    return true;
  }

  /** `/_/ready` with a ready_path is the function's own answer to that path, outside the limit, the log and the counts. */
  #askFunction(request: IncomingMessage, response: FunctionResponse): void {
    request.url = this.settings.readyPath;
    const call = new Call('', this.settings.execTimeoutMs, 'exec_timeout', response.startedMs, response);
    this.#calls.add(call);
    response.once('close', () => {
      this.#calls.remove(call);
      call.abort(new ClientGone());
    });
    this.#run(request, response, call);
  }
}

/** One pass over the list of names and values: building Node's header object costs more, and a runner may never need it. */
function callHeaders(rawHeaders: readonly string[]): { callId: string; askedMs: number | undefined } {
  let callId = '';
  let askedMs: number | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.length !== 9) continue; // the length of both names
    const name = rawHeaders[at]?.toLowerCase();
    const value = rawHeaders[at + 1] ?? '';
    if (name === 'x-call-id') callId = value;
    else if (name === 'x-timeout') askedMs = parseDuration(value);
  }
  return { callId, askedMs };
}
