/**
 * `lang=node18`, `node20`, `node22`: OpenFaaS's `module.exports = async (event, context) => …` and
 * `(event, context, callback) => …`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parse as parseQuery } from 'node:querystring';
import type { Prepared } from '../answer.js';
import { WrongExport } from '../answer.js';
import type { Event, EventHandler } from '../handler-types.js';
import { readEventBody } from './event-body.js';
import { EventContext } from './event-context.js';
import type { BodySettings } from './event-settings.js';

/** @throws {WrongExport} */
export function prepareEventHandler(exported: unknown, settings: BodySettings): Prepared {
  if (!isHandler(exported)) {
    throw new WrongExport('exports no handler; expected `module.exports = async (event, context) => …` (or `export default`)');
  }
  return {
    async answer(request, response) {
      const event = await readEvent(request, settings);
      const { context, value } = await settle(exported, event);
      send(response, context, value);
    },
    async close() {},
  };
}

interface Answered {
  readonly context: EventContext;
  readonly value: unknown;
}

/** Resolves with the first of: succeed, fail, the callback, what the handler returned. Rejects when it threw. */
function settle(handler: EventHandler, event: Event): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const context: EventContext = new EventContext((_kind, value) => resolve({ context, value }));
    const returned = handler(event, context, (error, result) => {
      if (error === undefined || error === null) context.succeed(result);
      else context.fail(error);
    });
    // A handler that declares the callback and returns nothing has yet to call it.
    if (returned === undefined && handler.length >= 3) return;
    Promise.resolve(returned).then((value) => resolve({ context, value }), reject);
  });
}

async function readEvent(request: IncomingMessage, settings: BodySettings): Promise<Event> {
  const { method = 'GET', url = '/', headers } = request;
  // OpenFaaS's templates do so; handlers look at it.
  headers['content-type'] ??= 'text/plain';
  const mark = url.indexOf('?');
  return {
    ...await readEventBody(request, settings),
    headers, method,
    path: mark < 0 ? url : url.slice(0, mark),
    query: mark < 0 ? {} : { ...parseQuery(url.slice(mark + 1)) },
  };
}

function send(response: ServerResponse, context: EventContext, value: unknown): void {
  // Made ready first: what cannot be sent is answered 500, and not after half an answer.
  const [body, type] = encode(value);
  const status = context.status();
  if (!(status >= 200 && status <= 599)) throw new RangeError(`the handler answered with status ${status}; expected 200 to 599`);
  for (const [name, header] of Object.entries(context.headers())) response.setHeader(name, header);
  if (type !== '' && !response.hasHeader('content-type')) response.setHeader('content-type', type);
  response.writeHead(status);
  response.end(body);
}

function encode(value: unknown): [body: string | Uint8Array, type: string] {
  if (value === undefined || value === null) return ['', ''];
  if (typeof value === 'string') return [value, 'text/plain; charset=utf-8'];
  if (value instanceof Uint8Array) return [value, 'application/octet-stream'];
  if (value instanceof ArrayBuffer) return [new Uint8Array(value), 'application/octet-stream'];
  if (value instanceof Error) return [String(value), 'text/plain; charset=utf-8'];
  const json: string | undefined = JSON.stringify(value);
  if (json === undefined) throw new TypeError(`the handler answered with a ${typeof value}, which has no JSON`);
  return [json, 'application/json; charset=utf-8'];
}

function isHandler(value: unknown): value is EventHandler {
  return typeof value === 'function';
}
