/**
 * One attempt at a call, from delivery to outcome: invoke, classify, decide. Nothing here throws past `runAttempt`, and
 * nothing is settled here: the queue applies the outcome.
 */
import type { Call, Cause, Delivery, Outcome } from '@postern/queue';
import type { Logger } from 'pino';
import { type AttemptEnd, type Reason, type Verdict, classify, headerValue } from './classify.js';
import { AnswerTooLarge } from './errors.js';
import type { FunctionRules } from './function-rules.js';
import type { Invoke } from './invoke.js';
import { type CallEnd, makeCallback } from './make-callback.js';
import { decideRetry, retryDelay, systemEnv } from './retry-policy.js';

export interface AttemptContext {
  /** As callers write it: without a namespace in the default one. */
  readonly functionName: string;
  readonly invoke: Invoke;
  /** As they are now: a function may be deployed anew while its calls wait. */
  readonly rules: FunctionRules;
  readonly maxBodyBytes: number;
  /** A call whose function could not be run is given up no sooner than this after it was accepted, nor before its last attempt. */
  readonly notRunGiveUpAfterMs: number;
  /** Bound to the lane: queue, namespace, function. */
  readonly log: Logger;
}

/** One attempt's record; each step adds to it. */
interface Attempt extends Delivery<Call> {
  readonly end: AttemptEnd;
  readonly verdict: Verdict;
  readonly durationMs: number;
}

/** @returns what becomes of the call; when the delivery was let go meanwhile, `retry` at once, which nobody heeds */
export async function runAttempt(delivery: Delivery<Call>, context: AttemptContext, env = systemEnv): Promise<Outcome> {
  const startMs = performance.now();
  const end = await invokeOnce(delivery, context);
  if (delivery.signal.aborted) {
    context.log.debug({ call_id: delivery.item.id, attempt: delivery.attempt }, 'attempt let go');
    return { kind: 'retry', delayMs: 0 };
  }
  const { item, attempt, signal } = delivery;
  const verdict = classify(end, context.rules.retryCodes);
  return decide({ item, attempt, signal, end, verdict, durationMs: performance.now() - startMs }, context, env);
}

async function invokeOnce({ item, attempt, signal }: Delivery<Call>, { invoke, maxBodyBytes }: AttemptContext): Promise<AttemptEnd> {
  try {
    const answer = await invoke(item, attempt, signal);
    if (answer.body.byteLength > maxBodyBytes) return { kind: 'failed', error: new AnswerTooLarge(maxBodyBytes) };
    return { kind: 'answered', answer };
  } catch (error) {
    return { kind: 'failed', error };
  }
}

function decide(record: Attempt, context: AttemptContext, env: typeof systemEnv): Outcome {
  const { verdict, attempt } = record;
  switch (verdict.kind) {
    case 'final': return done(record, context, env);
    case 'hopeless': return dead(record, verdict.reason, context, env);
    case 'not-run': {
      const tooOld = attempt >= context.rules.retry.maxAttempts && ageMs(record.item, env) >= context.notRunGiveUpAfterMs;
      if (tooOld) return dead(record, verdict.reason, context, env);
      return again(record, verdict.reason, retryDelay(attempt, context.rules.retry, retryAfter(record.end), env), context);
    }
    case 'retryable': {
      const decision = decideRetry(attempt, context.rules.retry, retryAfter(record.end), env);
      return decision.kind === 'retry' ? again(record, verdict.reason, decision.delayMs, context) : dead(record, verdict.reason, context, env);
    }
  }
}

function done(record: Attempt, context: AttemptContext, env: typeof systemEnv): Outcome {
  context.log.info({ ...fields(record), ...statusOf(record.end) }, 'call done');
  const callback = makeCallback(record.item, callEnd(record, undefined, context, env));
  return callback ? { kind: 'done', callback } : { kind: 'done' };
}

function again(record: Attempt, reason: Reason, delayMs: number, { log }: AttemptContext): Outcome {
  log.debug({ ...fields(record), code: reason.code, status: reason.status, reason: reason.message, delay_ms: delayMs }, 'attempt failed, to be tried again');
  return { kind: 'retry', delayMs };
}

function dead(record: Attempt, reason: Reason, context: AttemptContext, env: typeof systemEnv): Outcome {
  const cause: Cause = { ...reason, attempts: record.attempt };
  context.log.warn({ ...fields(record), code: cause.code, status: cause.status, reason: cause.message }, 'call given up');
  const callback = makeCallback(record.item, callEnd(record, reason, context, env));
  return callback ? { kind: 'dead', cause, callback } : { kind: 'dead', cause };
}

function callEnd(record: Attempt, reason: Reason | undefined, { rules, functionName }: AttemptContext, env: typeof systemEnv): CallEnd {
  const { end, attempt, durationMs } = record;
  const maxAttempts = Math.max(rules.retry.maxAttempts, attempt);
  return { functionName, end, attempt, maxAttempts, durationMs, nowMs: env.now(), ...(reason === undefined ? {} : { reason }) };
}

function ageMs({ acceptedNs }: Call, env: typeof systemEnv): number {
  // Nanoseconds without their last six digits are milliseconds, and fit a number.
  return env.now() - Number(acceptedNs.slice(0, -6));
}

function retryAfter(end: AttemptEnd): string | undefined {
  return end.kind === 'answered' ? headerValue(end.answer.headers, 'retry-after') : undefined;
}

function fields({ item, attempt, durationMs }: Attempt): Record<string, unknown> {
  return { call_id: item.id, attempt, duration_ms: Math.round(durationMs) };
}

function statusOf(end: AttemptEnd): { status?: number } {
  return end.kind === 'answered' ? { status: end.answer.status } : {};
}
