/**
 * `lang=web`: the handler takes a Request and returns a Response.
 */
import type { ServerResponse } from 'node:http';
import { hopByHop } from '../../hop-by-hop.js';
import type { Prepared } from '../answer.js';
import { WrongExport } from '../answer.js';
import type { WebHandler } from '../handler-types.js';
import { WebRequest } from './web-request.js';
import { WebResponse } from './web-response.js';

/** @throws {WrongExport} */
export function prepareWebHandler(exported: unknown): Prepared {
  const handler = handlerOf(exported);
  return {
    async answer(request, response, invocation) {
      const result: unknown = await handler(new WebRequest(request, invocation));
      if (!(result instanceof Response)) throw new TypeError(`the handler returned ${typeof result}, not a Response`);
      const plain = WebResponse.plain(result);
      if (plain === undefined) {
        await sendStream(result, response);
        return;
      }
      sendHead(response, plain.status, plain.statusText, plain.headers);
      if (plain.body === null) response.end();
      else response.end(plain.body);
    },
    async close() {},
  };
}

/**
 * Puts the light classes in the platform's place for everything in this process, before the handler is loaded:
 * so that its `new Response(…)` makes them, and `fetch(request)` takes them.
 * @returns puts the platform's back
 */
export function installWebClasses(): () => void {
  const { Request, Response, fetch } = globalThis;
  class UnwrappingRequest extends Request {
    constructor(input: ConstructorParameters<typeof Request>[0], init?: RequestInit) {
      super(WebRequest.unwrap(input), init);
    }

    static override [Symbol.hasInstance](value: unknown): boolean {
      return this === UnwrappingRequest ? value instanceof Request : Function.prototype[Symbol.hasInstance].call(this, value);
    }
  }
  Object.defineProperty(UnwrappingRequest, 'name', { value: 'Request' });
  globalThis.Request = UnwrappingRequest;
  globalThis.Response = WebResponse;
  globalThis.fetch = (input, init) => fetch(WebRequest.unwrap(input), init);
  return () => Object.assign(globalThis, { Request, Response, fetch });
}

function handlerOf(exported: unknown): WebHandler {
  if (isHandler(exported)) return exported;
  if (typeof exported === 'object' && exported !== null && 'fetch' in exported && isHandler(exported.fetch)) {
    return exported.fetch.bind(exported);
  }
  throw new WrongExport('exports no handler; expected `export default (request) => new Response(…)` or `export default { fetch(request) { … } }`');
}

function isHandler(value: unknown): value is WebHandler {
  return typeof value === 'function';
}

async function sendStream(result: Response, response: ServerResponse): Promise<void> {
  const headers = result.url === '' ? [...result.headers].flat() : headersOfFetched(result);
  if (result.body === null) {
    sendHead(response, result.status, result.statusText, headers);
    response.end();
    return;
  }
  const reader = result.body.getReader();
  // Once the caller has gone, or was answered in the handler's place, nobody takes more: the handler's stream is told.
  const stop = () => void reader.cancel(new DOMException('the response was closed', 'AbortError')).catch(() => {});
  if (response.destroyed || response.writableEnded) {
    stop();
    return;
  }
  response.once('close', stop);
  // The head leaves with the first chunk, or alone if there is none yet.
  const headAlone = setImmediate(() => {
    sendHead(response, result.status, result.statusText, headers);
    response.flushHeaders();
  });
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      clearImmediate(headAlone);
      if (!response.headersSent) sendHead(response, result.status, result.statusText, headers);
      if (!response.write(part.value)) await drained(response);
    }
    if (response.destroyed) return;
    if (!response.headersSent) sendHead(response, result.status, result.statusText, headers);
    response.end();
  } finally {
    clearImmediate(headAlone);
    response.off('close', stop);
  }
}

function sendHead(response: ServerResponse, status: number, statusText: string, headers: readonly string[]): void {
  // Node copies the list; its declaration asks for one it may write to.
  if (statusText === '') response.writeHead(status, headers as string[]);
  else response.writeHead(status, statusText, headers as string[]);
}

function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

/** A response passed on from `fetch`, which has decoded its body and says so nowhere. */
function headersOfFetched({ headers }: Response): string[] {
  const decoded = headers.has('content-encoding');
  return [...headers]
    .filter(([name]) => !hopByHop.has(name) && !(decoded && (name === 'content-encoding' || name === 'content-length')))
    .flat();
}
