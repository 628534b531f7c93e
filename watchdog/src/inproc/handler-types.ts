/**
 * The shapes a handler's author may write, one per `lang`. Types only.
 *
 * ```ts
 * import type { WebHandler } from '@postern/watchdog';
 * export default (async (request) => new Response(await request.text())) satisfies WebHandler;
 * ```
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * `lang=node`: a plain `node:http` listener, the default export or `module.exports`. An Express app is one; a Fastify
 * instance may be exported in its place. It streams as it likes. When the caller goes away or the deadline passes the
 * response emits `close`: stop working then.
 */
export type NodeHandler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Anything that has Fastify's two doors: exported for `lang=node` in place of a function. */
export interface RoutingApp {
  ready(): unknown;
  readonly routing: NodeHandler;
  close?(): unknown;
}

/**
 * `lang=web`: the default export, or the `fetch` of a default-exported object. Bodies stream both ways;
 * `request.signal` aborts when the caller has gone or the deadline has passed.
 */
export type WebHandler = (request: Request) => Response | Promise<Response>;

/**
 * `lang=node18`, `node20`, `node22`: OpenFaaS's handler. What it returns (or resolves to) is the answer, unless
 * `context.succeed` or `context.fail` has already given one. A handler that declares the callback and returns nothing
 * answers through the callback. Throwing, or rejecting, answers 500.
 */
export type EventHandler = (event: Event, context: Context, callback: Callback) => unknown;

/** `callback(error)` answers 500 unless a status was set; `callback(undefined, result)` answers as a return would. */
export type Callback = (error: unknown, result?: unknown) => void;

/** The request, read whole. */
export interface Event {
  /**
   * By content type: `text/*` (and none at all) a string; JSON and forms their value; anything else a Buffer.
   * With `RAW_BODY=true` always a Buffer.
   */
  readonly body: unknown;
  /** The body's exact bytes, as the caller sent them: what a signature is checked against. */
  readonly rawBody: Buffer;
  /** Names in lower case. */
  readonly headers: Record<string, string | string[] | undefined>;
  readonly method: string;
  /** A name given twice has an array. */
  readonly query: Record<string, string | string[] | undefined>;
  /** Starts with `/`; without the query. */
  readonly path: string;
}

/** The answer, as the handler builds it up. */
export interface Context {
  /** The status to answer with; 200 until set. */
  status(): number;
  status(code: number): this;
  /** The headers to answer with, kept when the call fails; setting replaces all of them. */
  headers(): Record<string, string | string[]>;
  headers(headers: Record<string, string | string[]>): this;
  /**
   * Answers at once. A string is `text/plain`, bytes are `application/octet-stream`, anything else is JSON, unless the
   * headers set a content type.
   */
  succeed(value?: unknown): void;
  /** As `succeed`, with status 500 unless another was set. */
  fail(value?: unknown): void;
}
