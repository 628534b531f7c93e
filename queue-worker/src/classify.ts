/**
 * What an attempt's end means: the function has spoken, it is worth another try, or no try can help. Pure.
 * Not here: when the next try is (retry-policy.ts).
 */
import type { HeaderList } from '@postern/queue';
import { ExchangeError, Unreachable } from './errors.js';
import type { Answer } from './invoke.js';

export type AttemptEnd =
  | { readonly kind: 'answered'; readonly answer: Answer }
  | { readonly kind: 'failed'; readonly error: unknown };

/** Why a call is not done; becomes a `Cause` when it is given up. */
export interface Reason {
  readonly code: string;
  readonly message: string;
  readonly status?: number;
}

export type Verdict =
  | { readonly kind: 'final' }
  | { readonly kind: 'retryable'; readonly reason: Reason }
  /** Every replica was full, or the gateway is away or does not know yet what is deployed: the function has not run, and that costs no attempts. */
  | { readonly kind: 'not-run'; readonly reason: Reason }
  | { readonly kind: 'hopeless'; readonly reason: Reason };

/** `retry_http_codes`. */
export const defaultRetryCodes: readonly number[] = [408, 429, 500, 502, 503, 504];

// Answers of the gateway's own that say that nothing has run yet.
const withoutRun = new Set(['provider_unavailable', 'no_replica_ready']);
// Failures, and answers of the gateway's own, that another try cannot change.
const lasting = new Set(['function_not_found', 'body_too_large', 'answer_too_large', 'bad_call']);

/**
 * @param retryCodes - statuses of the function's own that are worth another try; every other is its final word
 */
export function classify(end: AttemptEnd, retryCodes: ReadonlySet<number>): Verdict {
  if (end.kind === 'failed') {
    const reason = reasonOf(end.error);
    if (end.error instanceof Unreachable && !end.error.sent) return { kind: 'not-run', reason };
    return { kind: lasting.has(reason.code) ? 'hopeless' : 'retryable', reason };
  }
  const { status, headers, body } = end.answer;
  const maker = headerValue(headers, 'x-openfaas-internal');
  if (maker !== undefined) {
    const said = ownError(body);
    const code = said?.code ?? 'status';
    const reason = { code, message: said?.message ?? `${maker} answered ${status}.`, status };
    if (lasting.has(code) && status < 500) return { kind: 'hopeless', reason };
    return { kind: status === 429 || withoutRun.has(code) ? 'not-run' : 'retryable', reason };
  }
  if (!retryCodes.has(status)) return { kind: 'final' };
  return { kind: 'retryable', reason: { code: 'status', message: `The function answered ${status}.`, status } };
}

/** @param name - lower case */
export function headerValue(headers: HeaderList, name: string): string | undefined {
  return headers.find(([each]) => each.toLowerCase() === name)?.[1];
}

/** Whatever an Invoke throws that is not ours is a connection that failed. */
function reasonOf(error: unknown): Reason {
  if (error instanceof ExchangeError) return { code: error.code, message: error.message };
  return { code: 'unreachable', message: error instanceof Error ? error.message : 'The function could not be reached.' };
}

/** The gateway's and the watchdog's `{"error":{"code","message"}}`; `undefined` when the body is something else. */
function ownError(body: Uint8Array): { code: string; message: string } | undefined {
  try {
    const parsed = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')) as unknown;
    if (typeof parsed !== 'object' || parsed === null || !('error' in parsed)) return undefined;
    const { error } = parsed;
    if (typeof error !== 'object' || error === null || !('code' in error) || !('message' in error)) return undefined;
    return typeof error.code === 'string' && typeof error.message === 'string' ? { code: error.code, message: error.message } : undefined;
  } catch {
    return undefined;
  }
}
