/**
 * `/async-function/NAME`: checks, reads the body, makes the call durable and answers 202. What is refused leaves no trace
 * in the queue.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Call, type CallbackAllow, type HeaderList, type Queue, QueueUnavailable, checkCallbackUrl } from '@postern/queue';
import type { Logger } from 'pino';
import { callIdOf, nowNs } from './call-id.js';
import { errorAnswerOf, sendError } from './error-answer.js';
import { GatewayError } from './errors.js';
import type { FunctionAddress } from './function-address.js';
import type { FunctionEntry } from './function-table.js';
import { endToEndHeaders } from './headers.js';
import type { GatewayMetrics } from './metrics.js';
import { discardRest, readBody } from './request-body.js';

export interface AcceptOptions {
  readonly queue: Queue;
  readonly maxBodyBytes: number;
  readonly callbackAllow: CallbackAllow;
  readonly servedBy: string;
  readonly metrics: GatewayMetrics;
  readonly log: Logger;
}

export function acceptAsync(req: IncomingMessage, res: ServerResponse, address: FunctionAddress, entry: FunctionEntry, options: AcceptOptions): void {
  const callId = callIdOf(req.headers['x-call-id']);
  const acceptedNs = nowNs();
  const refuse = (error: unknown) => {
    const answer = errorAnswerOf(error, options.log);
    options.metrics.refused((error as { code?: string }).code ?? 'internal_error');
    sendError(res, answer, { 'X-Call-Id': callId });
    discardRest(req);
  };

  let callbackUrl: string | undefined;
  let headers: HeaderList;
  try {
    headers = storedHeaders(req);
    callbackUrl = callbackOf(req, options.callbackAllow);
    if (!options.queue.ready) throw new QueueUnavailable('The queue cannot be reached: the call was not accepted, send it again.');
  } catch (error) {
    refuse(error);
    return;
  }
  readBody(req, options.maxBodyBytes, (error, body) => {
    if (error) {
      refuse(error);
      return;
    }
    const call: Call = {
      id: callId, lane: entry.lane, method: 'POST', path: address.path, query: address.query, headers, body, acceptedNs,
      ...(callbackUrl === undefined ? {} : { callbackUrl }),
    };
    options.queue.publish(call).then(() => {
      entry.metrics.accepted();
      res.writeHead(202, ['X-Call-Id', callId, 'X-Start-Time', acceptedNs, 'X-Served-By', options.servedBy, 'Content-Length', '0']);
      res.end();
    }, refuse);
  });
}

function callbackOf(req: IncomingMessage, allow: CallbackAllow): string | undefined {
  if (req.headers['x-callback-url'] === undefined) return undefined;
  const [url = '', ...more] = req.headersDistinct['x-callback-url'] ?? [];
  if (more.length > 0) throw new GatewayError('bad_request', 'X-Callback-Url was sent more than once: send one.');
  return checkCallbackUrl(url, allow).href;
}

/** What fits a NATS message on every server, with what we add to it. */
const maxStoredHeaderBytes = 32 * 1_024;

/** The length belongs to the body, which is stored to the byte; whoever sends it on counts again. */
function storedHeaders(req: IncomingMessage): HeaderList {
  const flat = endToEndHeaders(req);
  const list: (readonly [string, string])[] = [];
  let bytes = 0;
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = flat[i] ?? '';
    const value = flat[i + 1] ?? '';
    bytes += name.length + value.length + 4;
    if (name.length !== 14 || name.toLowerCase() !== 'content-length') list.push([name, value]);
  }
  if (bytes > maxStoredHeaderBytes) throw new GatewayError('headers_too_large', `The headers of a queued call may have ${maxStoredHeaderBytes} bytes: these have ${bytes}.`);
  return list;
}
