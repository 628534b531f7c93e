/**
 * When a callback that failed is tried again, and when no more. Pure arithmetic.
 * The wait grows with the time since the call ended, not with a count: a delivery that was only held back, because its
 * receiver was busy, is counted by the queue like one that failed.
 * Not here: holding back (receivers.ts).
 */
import { parseRetryAfter } from './retry-after.js';
import { type Env, type RetryDecision, systemEnv } from './retry-policy.js';

export interface CallbackSchedule {
  readonly minWaitMs: number;
  readonly maxWaitMs: number;
  /** So long after its call ended a callback is given up. */
  readonly giveUpAfterMs: number;
}

/**
 * Full jitter under a ceiling that doubles: the next wait is at most as long as all the time so far.
 * @param endedAtMs - when the call ended
 * @param retryAfter - the receiver's header, as received; heeded as far as there is time left
 */
export function nextCallbackTry(endedAtMs: number, schedule: CallbackSchedule, retryAfter: string | undefined, env: Env = systemEnv): RetryDecision {
  const nowMs = env.now();
  const ageMs = Math.max(0, nowMs - endedAtMs);
  const leftMs = schedule.giveUpAfterMs - ageMs;
  if (leftMs <= 0) return { kind: 'give-up' };
  const ceilingMs = Math.min(Math.max(ageMs, schedule.minWaitMs), schedule.maxWaitMs);
  const ownMs = Math.ceil(env.random() * ceilingMs);
  const askedMs = parseRetryAfter(retryAfter, nowMs) ?? 0;
  return { kind: 'retry', delayMs: Math.min(Math.max(ownMs, askedMs), leftMs) };
}
