/**
 * When a call is tried again after an attempt that failed, and when no more. Pure arithmetic.
 * Not here: which answers deserve another try (classify.ts), keeping the wait (the queue), callbacks (callback-schedule.ts).
 */
import { parseRetryAfter } from './retry-after.js';

export interface RetryPolicy {
  /** Attempts in all, the first included; at least 1. */
  readonly maxAttempts: number;
  readonly minWaitMs: number;
  readonly maxWaitMs: number;
}

export type RetryDecision =
  | { readonly kind: 'retry'; readonly delayMs: number }
  | { readonly kind: 'give-up' };

/** Time and chance, passed in so that a test decides both. */
export interface Env {
  now(): number;
  random(): number;
}

export const systemEnv: Env = { now: Date.now, random: Math.random };

/**
 * Exponential backoff with full jitter; `Retry-After` instead of it, where the answer had one.
 * @param attempt - the one that has just failed, counted from 1
 * @param retryAfter - the answer's header, as received
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function decideRetry(attempt: number, policy: RetryPolicy, retryAfter: string | undefined, env = systemEnv): RetryDecision {
  const { maxAttempts, minWaitMs, maxWaitMs } = policy;
  if (attempt >= maxAttempts) return { kind: 'give-up' };
  const askedMs = parseRetryAfter(retryAfter, env.now());
  if (askedMs !== undefined) {
    // Capped: a date far off must not park a call out of sight.
    return { kind: 'retry', delayMs: Math.min(Math.max(askedMs, minWaitMs), maxWaitMs) };
  }
  // The exponent is capped, because 0 * Infinity is NaN.
  const ceilingMs = Math.min(minWaitMs * 2 ** Math.min(attempt - 1, 40), maxWaitMs);
  return { kind: 'retry', delayMs: Math.floor(env.random() * ceilingMs) };
}
