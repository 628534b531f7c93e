/**
 * Answers of the watchdog's own making: a JSON body and a header that tells them from the function's.
 * Not here: when they are due (server.ts and the runners).
 */
import type { ServerResponse } from 'node:http';
import { DrainTimeout, ExecTimeout, type StopReason } from './runner.js';

/** One word for programs to tell the watchdog's own errors apart; `error.code` of the body. */
export type ErrorCode =
  | 'exec_timeout' | 'function_failed' | 'function_unavailable' | 'too_many_requests' | 'shutting_down'
  | 'bad_request' | 'headers_too_large' | 'not_found' | 'method_not_allowed';

/**
 * Ends the response with an error. When the function's headers are out already the connection is destroyed instead,
 * so that the client sees a broken answer and never a short one that looks whole.
 */
export function answerError(
  response: ServerResponse, status: number, code: ErrorCode, message: string, headers: Readonly<Record<string, string>> = {},
): void {
  if (response.writableEnded || response.destroyed) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  const body = Buffer.from(JSON.stringify({ error: { code, message } }));
  response.writeHead(status, {
    'Content-Type': 'application/json', 'Content-Length': body.length, 'X-OpenFaaS-Internal': 'of-watchdog', ...headers,
  });
  response.end(body);
}

/** The function cannot answer at this moment and soon may: 503, try again in a second. */
export function answerUnavailable(response: ServerResponse, code: 'function_unavailable' | 'shutting_down', reason: string): void {
  answerError(response, 503, code, reason, { 'Retry-After': '1' });
}

/** Ends the response of a call that was stopped, as its reason demands. */
export function answerStopped(response: ServerResponse, reason: StopReason): void {
  if (reason instanceof ExecTimeout) answerError(response, 504, 'exec_timeout', reason.message);
  else if (reason instanceof DrainTimeout) answerUnavailable(response, 'shutting_down', reason.message);
  else response.destroy();
}
