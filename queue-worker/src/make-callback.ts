/**
 * The callback of a call that has ended: the answer's body as it is and the headers OpenFaaS sends with it
 * (`X-Duration-Seconds`, `X-Function-Status`, `X-Function-Name`, `X-Call-Id`, `X-Retry`, `X-Retry-Max`).
 * Not here: sending it (deliver-callback.ts).
 */
import type { Call, Callback, HeaderList } from '@postern/queue';
import type { AttemptEnd, Reason } from './classify.js';
import { type Answer, ofTheConnection } from './invoke.js';

/** When the call ended, milliseconds since the epoch. For the worker's own use: it is not sent to the receiver. */
export const endedAtHeader = 'Postern-Ended-At';

/** What is known when a call has had its last attempt. */
export interface CallEnd {
  /** As callers write it: without a namespace in the default one. */
  readonly functionName: string;
  readonly end: AttemptEnd;
  /** Absent when the function had its say. */
  readonly reason?: Reason;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly durationMs: number;
  readonly nowMs: number;
}

// The connection's own, what a request must not take from an answer, and what is said anew below.
const dropped = new Set([
  ...ofTheConnection, 'proxy-authentication-info', 'user-agent',
  'x-duration-seconds', 'x-function-status', 'x-function-name', 'x-call-id', 'x-retry', 'x-retry-max', endedAtHeader.toLowerCase(),
]);

/** @returns `undefined` when the caller asked for no callback */
export function makeCallback(call: Call, ended: CallEnd): Callback | undefined {
  if (call.callbackUrl === undefined) return undefined;
  const answer = ended.end.kind === 'answered' ? ended.end.answer : noAnswer(ended.reason);
  return {
    callId: call.id,
    url: call.callbackUrl,
    headers: [
      ...endToEnd(answer.headers),
      ['X-Duration-Seconds', (ended.durationMs / 1_000).toFixed(6)],
      ['X-Function-Status', String(answer.status)],
      ['X-Function-Name', ended.functionName],
      ['X-Call-Id', call.id],
      ['X-Retry', String(ended.attempt - 1)],
      ['X-Retry-Max', String(ended.maxAttempts - 1)],
      [endedAtHeader, String(ended.nowMs)],
    ],
    body: answer.body,
  };
}

/** What a receiver is told when there is no answer to pass on. */
const statusWithoutAnswer: Readonly<Record<string, number>> = { timeout: 504, answer_too_large: 502 };

function noAnswer(reason: Reason = { code: 'unreachable', message: 'The function could not be reached.' }): Answer {
  const { code, message } = reason;
  return {
    status: statusWithoutAnswer[code] ?? 503,
    headers: [['Content-Type', 'application/json'], ['X-OpenFaaS-Internal', 'queue-worker']],
    body: Buffer.from(`${JSON.stringify({ error: { code, message } })}\n`),
  };
}

function endToEnd(headers: HeaderList): HeaderList {
  const listed = new Set<string>();
  for (const [name, value] of headers) {
    if (name.toLowerCase() !== 'connection') continue;
    for (const each of value.split(',')) listed.add(each.trim().toLowerCase());
  }
  return headers.filter(([name]) => {
    const lower = name.toLowerCase();
    return !dropped.has(lower) && !listed.has(lower);
  });
}
