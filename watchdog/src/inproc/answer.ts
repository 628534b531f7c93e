/**
 * What the adapters (node, web, event) share: the shape of one, and what happens in a handler's place when it fails.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import { BadRequest } from '../body.js';
import { answerError } from '../own-answer.js';
import { ClientGone, ExecTimeout, type Invocation } from '../runner.js';
import type { Call } from './calls.js';

/**
 * A loaded handler, ready to answer. What it throws or rejects with is answered by {@link answerFailed}.
 * It may return before the response has ended.
 */
export type Answer = (
  request: IncomingMessage, response: ServerResponse, invocation: Invocation, call: Call,
) => unknown;

/** A handler as its adapter prepared it. */
export interface Prepared {
  readonly answer: Answer;
  /** Undoes what the adapter set up and closes what the handler exported, where it can be closed. */
  close(): Promise<void>;
}

/** The export is not what this `lang` calls for. The message is one line, without the file's name. */
export class WrongExport extends Error {
  override readonly name = 'WrongExport';
}

/** Thrown where a handler calls `process.exit`, because its code must not run on; its call is answered by then (crash.ts). */
export class HandlerExit extends Error {
  override readonly name = 'HandlerExit';
}

/** Answers a call whose handler threw or rejected, and logs it. The error itself is for the log alone. */
export function answerFailed({ id, response }: Call, error: unknown): void {
  if (error instanceof BadRequest) {
    answerError(response, error.status, 'bad_request', error.message);
    return;
  }
  // A handler that gives up once it was told to stop did right.
  if ((response.destroyed || response.writableEnded) && isStop(error)) return;
  logFailure(response.writableEnded ? 'the handler failed after its answer' : 'the handler failed', id, error);
  answerError(response, 500, 'function_failed', 'the function failed; its log says how');
  ignoreFrom(response);
}

/**
 * What a handler says from now on goes nowhere. For a response that was ended in the handler's place: a late
 * `writeHead` would throw in its timers, where nobody catches it.
 */
export function ignoreFrom(response: ServerResponse): void {
  const ignored = () => response;
  Object.assign(response, {
    writeHead: ignored, setHeader: ignored, appendHeader: ignored, setHeaders: ignored, removeHeader: ignored,
    flushHeaders: ignored, end: ignored, write: () => true,
  });
}

/** A line of the function's log that names the call, with the error's stack. */
export function logFailure(what: string, callId: string, error: unknown): void {
  const text = error instanceof Error ? error.stack ?? String(error) : typeof error === 'string' ? error : inspect(error);
  process.stderr.write(`${what}${callId === '' ? '' : ` [${callId}]`}: ${text}\n`);
}

function isStop(error: unknown): boolean {
  if (error instanceof ExecTimeout || error instanceof ClientGone || error instanceof HandlerExit) return true;
  return error instanceof Error && (error.name === 'AbortError' || ('code' in error && error.code === 'ECONNRESET'));
}
