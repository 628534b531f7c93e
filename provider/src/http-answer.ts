/**
 * The one shape of an error answer, `{"error":{"code","message"}}`, and the type of what stands in front of a server.
 * On node:http alone, so that it serves an Express app and a bare request listener alike.
 * Not here: which code has which status (server/error-status.ts).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Calls `next` or answers, never both. */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/** @param message - for the person who reads the answer: what was wrong and what to do */
export function answerError(response: ServerResponse, status: number, code: string, message: string): void {
  const body = Buffer.from(`${JSON.stringify({ error: { code, message } })}\n`);
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': body.length });
  response.end(body);
}
