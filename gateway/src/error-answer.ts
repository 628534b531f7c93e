/**
 * Errors on the wire: `{"error":{"code","message"}}`, marked as the gateway's own by `X-OpenFaaS-Internal`
 * so that no worker takes them for a function's answer.
 */
import type { ServerResponse } from 'node:http';
import { ProviderError } from '@postern/provider';
import { BadCallbackUrl, QueueError } from '@postern/queue';
import type { Logger } from 'pino';
import { type Code, GatewayError, retryAfterSeconds, statusOf } from './errors.js';

/** A failure, ready to be sent. */
export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export function errorAnswer(code: Code, message: string): ErrorAnswer {
  return answer(statusOf[code], code, message, retryAfterSeconds[code]);
}

/** The unknown becomes a 500 that tells the caller nothing and the log everything. */
export function errorAnswerOf(error: unknown, log: Logger): ErrorAnswer {
  if (error instanceof GatewayError || error instanceof QueueError || error instanceof ProviderError || error instanceof BadCallbackUrl) {
    return errorAnswer(error.code, error.message);
  }
  log.error({ err: error }, 'request failed by a defect');
  return answer(500, 'internal_error', 'Something went wrong inside the gateway; its log says what.', undefined);
}

/** Ends the response with the answer; breaks the connection when another answer has already begun. */
export function sendError(res: ServerResponse, error: ErrorAnswer, extra: Readonly<Record<string, string>> = {}): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  res.writeHead(error.status, { ...error.headers, ...extra });
  res.end(error.body);
}

function answer(status: number, code: string, message: string, retryAfter: number | undefined): ErrorAnswer {
  const body = `${JSON.stringify({ error: { code, message } })}\n`;
  return {
    status,
    headers: {
      'Content-Type': 'application/json',
      'Content-Length': String(Buffer.byteLength(body)),
      'X-OpenFaaS-Internal': 'gateway',
      ...(retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }),
    },
    body,
  };
}
