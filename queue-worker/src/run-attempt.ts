/**
 * One attempt at a call, from delivery to outcome: wait for its turn, invoke, classify, decide. Nothing here throws past `runAttempt`, and
 * nothing is settled here: the queue applies the outcome.
 */
import type { Call, Cause, Delivery, Outcome } from '@postern/queue';
import type { Logger } from 'pino';
import { type AttemptEnd, type Reason, type Verdict, classify, headerValue } from './classify.js';
import { AnswerTooLarge } from './errors.js';
import type { FunctionRules } from './function-rules.js';
import type { Invoke } from './invoke.js';
import { type CallEnd, makeCallback } from './make-callback.js';
import { decideRetry, systemEnv } from './retry-policy.js';
import type { Turns } from './turns.js';

export interface AttemptContext {
  /** As callers write it: without a namespace in the default one. */
  readonly functionName: string;
  readonly invoke: Invoke;
  /** As they are now: a function may be deployed anew while its calls wait. */
  readonly rules: FunctionRules;
  readonly maxBodyBytes: number;
  readonly turns: Turns;
  /** So long after it was first refused without having run, a call is given up. */
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

// A worker that stops, or is killed with the host, costs the call a delivery too: a few are allowed for.
const sparedDeliveries = 3;

/** @returns what becomes of the call; when it was let go meanwhile, `retry` at once */
export async function runAttempt(delivery: Delivery<Call>, context: AttemptContext, env = systemEnv): Promise<Outcome> {
  const { maxAttempts } = context.rules.retry;
  if (delivery.attempt > maxAttempts + sparedDeliveries) return workerDied(delivery, context, env);
  const record = await runInTurn(delivery, context);
  if (record) return decide(record, context, env);
  context.log.debug({ call_id: delivery.item.id, attempt: delivery.attempt }, 'attempt let go');
  return { kind: 'retry', delayMs: 0 };
}

/** Invokes until the function has run, or has been out of reach for too long. @returns `undefined` when the call was let go */
async function runInTurn(delivery: Delivery<Call>, context: AttemptContext): Promise<Attempt | undefined> {
  const { item, attempt, signal } = delivery;
  const { turns, notRunGiveUpAfterMs } = context;
  let refusedAtMs: number | undefined;
  while (await turns.take(signal)) {
    const startMs = performance.now();
    const end = await invokeOnce(delivery, context);
    const endMs = performance.now();
    const verdict = classify(end, context.rules.retryCodes);
    if (verdict.kind === 'not-run') turns.refused();
    else turns.ended();
    if (signal.aborted) return undefined;
    refusedAtMs ??= endMs;
    if (verdict.kind !== 'not-run' || endMs - refusedAtMs >= notRunGiveUpAfterMs) {
      return { item, attempt, signal, end, verdict, durationMs: endMs - startMs };
    }
  }
  return undefined;
}

async function invokeOnce({ item, attempt, signal }: Delivery<Call>, { invoke, maxBodyBytes }: AttemptContext): Promise<AttemptEnd> {
  try {
    const answer = await invoke(item, attempt, signal);
    if (item.callbackUrl !== undefined && answer.body.byteLength > maxBodyBytes) return { kind: 'failed', error: new AnswerTooLarge(maxBodyBytes) };
    return { kind: 'answered', answer };
  } catch (error) {
    return { kind: 'failed', error };
  }
}

function decide(record: Attempt, context: AttemptContext, env: typeof systemEnv): Outcome {
  const { verdict, attempt } = record;
  switch (verdict.kind) {
    case 'final': return done(record, context, env);
    case 'hopeless':
    case 'not-run': return dead(record, verdict.reason, context, env);
    case 'retryable': {
      const decision = decideRetry(attempt, context.rules.retry, retryAfter(record.end), env);
      return decision.kind === 'retry' ? again(record, verdict.reason, decision.delayMs, context) : dead(record, verdict.reason, context, env);
    }
  }
}

/** Delivered again and again, because no attempt came to an end. */
function workerDied({ item, attempt, signal }: Delivery<Call>, context: AttemptContext, env: typeof systemEnv): Outcome {
  const reason: Reason = {
    code: 'worker_died',
    message: `Delivered ${attempt} times without coming to an end: the worker died or was stopped during its attempts, which this call may have caused.`,
  };
  return dead({ item, attempt, signal, end: { kind: 'failed', error: undefined }, verdict: { kind: 'hopeless', reason }, durationMs: 0 }, reason, context, env);
}

function done(record: Attempt, context: AttemptContext, env: typeof systemEnv): Outcome {
  context.log.info({ ...fields(record), ...statusOf(record.end) }, 'attempt ended the call: done');
  const callback = makeCallback(record.item, callEnd(record, undefined, context, env));
  return callback ? { kind: 'done', callback } : { kind: 'done' };
}

function again(record: Attempt, reason: Reason, delayMs: number, { log }: AttemptContext): Outcome {
  log.debug({ ...fields(record), code: reason.code, status: reason.status, reason: reason.message, delay_ms: delayMs }, 'attempt failed, to be tried again');
  return { kind: 'retry', delayMs };
}

function dead(record: Attempt, reason: Reason, context: AttemptContext, env: typeof systemEnv): Outcome {
  const cause: Cause = { ...reason, attempts: record.attempt };
  context.log.warn({ ...fields(record), code: cause.code, status: cause.status, reason: cause.message }, 'attempt ended the call: given up');
  const callback = makeCallback(record.item, callEnd(record, reason, context, env));
  return callback ? { kind: 'dead', cause, callback } : { kind: 'dead', cause };
}

function callEnd(record: Attempt, reason: Reason | undefined, { rules, functionName }: AttemptContext, env: typeof systemEnv): CallEnd {
  const { end, attempt, durationMs } = record;
  const maxAttempts = Math.max(rules.retry.maxAttempts, attempt);
  return { functionName, end, attempt, maxAttempts, durationMs, nowMs: env.now(), ...(reason === undefined ? {} : { reason }) };
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
