/**
 * The gateway's HTTP edge: one `node:http` server. `/function` and `/async-function` are answered here, because they are
 * the hot path; everything else goes to the Express application behind it.
 */
import { type IncomingMessage, type RequestListener, type Server, type ServerResponse, createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { type AcceptOptions, acceptAsync } from './accept-async.js';
import { callIdOf } from './call-id.js';
import { errorAnswer, sendError } from './error-answer.js';
import type { Code } from './errors.js';
import { type FunctionAddress, parseFunctionAddress } from './function-address.js';
import type { FunctionEntry, FunctionTable } from './function-table.js';
import { type ProxyOptions, proxy } from './proxy.js';
import { discardRest } from './request-body.js';

export interface EdgeOptions extends AcceptOptions, ProxyOptions {
  readonly table: FunctionTable;
  readonly defaultNamespace: string;
  readonly readTimeoutMs: number;
  readonly behind: RequestListener;
}

const syncPrefix = '/function/';
const asyncPrefix = '/async-function/';
/** More is 431. Room above what a queued call may have, because the worker that sends it on adds headers of its own. */
const maxHeaderSize = 40 * 1_024;

/** A server that is not yet listening. */
export function createEdge(options: EdgeOptions): Server {
  const requestTimeout = Math.ceil(options.readTimeoutMs);
  const connectionsCheckingInterval = requestTimeout === 0 ? 30_000 : Math.min(30_000, Math.max(requestTimeout, 1_000));
  const answering = new WeakMap<Duplex, ServerResponse>();
  const server = createServer({ maxHeaderSize, requestTimeout, connectionsCheckingInterval, keepAliveTimeout: 65_000 }, (req, res) => {
    answering.set(req.socket, res);
    const url = originForm(req.url ?? '/');
    if (url.startsWith(syncPrefix)) answerSync(req, res, url.slice(syncPrefix.length), options);
    else if (url.startsWith(asyncPrefix)) answerAsync(req, res, url.slice(asyncPrefix.length), options);
    else options.behind(req, res);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const res = answering.get(socket);
    // Where an answer is under way, or owed for a request that was read whole, nothing said here would be taken for what it is.
    if (res !== undefined && !res.writableFinished && (res.headersSent || res.req.complete)) socket.destroy(error);
    else answerUnreadable(error, socket, options.log);
  });
  return server;
}

function answerSync(req: IncomingMessage, res: ServerResponse, rest: string, options: EdgeOptions): void {
  const found = find(req, res, rest, options);
  if (found) proxy(req, res, found.address, found.entry, options);
}

function answerAsync(req: IncomingMessage, res: ServerResponse, rest: string, options: EdgeOptions): void {
  if (req.method === 'OPTIONS') {
    res.writeHead(204, { Allow: 'POST, OPTIONS' }).end();
    return;
  }
  if (req.method !== 'POST') {
    refuse(req, res, 'method_not_allowed', `An asynchronous call is a POST; for ${req.method ?? 'this method'} use /function/.`, options, { Allow: 'POST, OPTIONS' });
    return;
  }
  const found = find(req, res, rest, options);
  if (found) acceptAsync(req, res, found.address, found.entry, options);
}

function find(req: IncomingMessage, res: ServerResponse, rest: string, options: EdgeOptions): { address: FunctionAddress; entry: FunctionEntry } | undefined {
  const address = parseFunctionAddress(rest, options.defaultNamespace);
  if (address === undefined) {
    refuse(req, res, 'bad_function_name', 'No function name in the path: expected letters, digits, "-", "_", and ".NAMESPACE" if need be.', options);
    return undefined;
  }
  const entry = options.table.get(address.key);
  if (entry) return { address, entry };
  if (options.table.synced) {
    refuse(req, res, 'function_not_found', `No function ${address.name} is deployed in ${address.namespace}: GET /system/functions lists those that are.`, options);
  } else refuse(req, res, 'provider_unavailable', 'The provider has not yet said which functions there are: try again in a moment.', options);
  return undefined;
}

function refuse(req: IncomingMessage, res: ServerResponse, code: Code, message: string, options: EdgeOptions, extra: Record<string, string> = {}): void {
  options.metrics.refused(code);
  sendError(res, errorAnswer(code, message), { 'X-Call-Id': callIdOf(req.headers['x-call-id']), ...extra });
  discardRest(req);
}

/** A proxy's absolute form (`GET http://host/path`) means the same path (RFC 9112 section 3.2.2). */
function originForm(url: string): string {
  if (url.startsWith('/')) return url;
  const absolute = /^https?:\/\/[^/?#]*/i.exec(url);
  if (absolute === null) return url;
  const rest = url.slice(absolute[0].length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** What the parser could not read never becomes a request, so it is answered on the bare socket. */
function answerUnreadable(error: NodeJS.ErrnoException, socket: Duplex, log: Logger): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const answer = error.code === 'HPE_HEADER_OVERFLOW'
    ? errorAnswer('headers_too_large', `The request's headers are over ${maxHeaderSize} bytes.`)
    : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? errorAnswer('request_timeout', 'The request did not arrive whole within read_timeout.')
      : errorAnswer('bad_request', `This is no HTTP/1.1 request (${error.code ?? 'unreadable'}).`);
  log.debug({ code: error.code }, 'unreadable request');
  const head = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.end(`HTTP/1.1 ${answer.status} ${reasonOf(answer.status)}\r\n${head}Connection: close\r\n\r\n${answer.body}`, () => { socket.destroy(); });
}

function reasonOf(status: number): string {
  return status === 431 ? 'Request Header Fields Too Large' : status === 408 ? 'Request Timeout' : 'Bad Request';
}
