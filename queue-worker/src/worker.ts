/**
 * The queue-worker: one consumer for each lane that is deployed or still holds calls, so that no function starves
 * another and no call is forgotten when its function is removed or moves to another queue; and one for callbacks.
 * Not here: one attempt (run-attempt.ts), one delivery (deliver-callback.ts).
 */
import { createRequire } from 'node:module';
import type { Callback, Consumer, Delivery, Outcome, Queue } from '@postern/queue';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { type Resolve, callbackAgent, systemResolve } from './callback-agent.js';
import { Deadlines } from './deadlines.js';
import { type CallbackContext, deliverCallback } from './deliver-callback.js';
import type { FunctionList } from './function-list.js';
import type { Invoke } from './invoke.js';
import { Lanes } from './lanes.js';
import { createWorkerMetrics } from './metrics.js';
import { Receivers } from './receivers.js';
import type { QueueWorkerSettings } from './settings.js';

export interface QueueWorkerOptions {
  /** Stays open: who opened it closes it. */
  readonly queue: Queue;
  readonly functions: FunctionList;
  readonly invoke: Invoke;
  readonly settings: QueueWorkerSettings;
  readonly log: Logger;
  readonly metrics: Registry;
  /** How callback receivers' names are resolved; a test gives its own answers. */
  readonly resolve?: Resolve;
  /** How often lanes that still hold calls are looked for. */
  readonly lookEveryMs?: number;
}

export interface QueueWorker {
  /** Takes nothing new, finishes what runs within the grace, and lets go of the rest, which is delivered again. Idempotent. */
  close(): Promise<void>;
}

// A cast, because JSON has no type of its own: package.json always has a version.
const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

/** Resolves once the backlog has been looked at; a queue that is away is waited for in the background. */
export async function startQueueWorker(options: QueueWorkerOptions): Promise<QueueWorker> {
  const { queue, settings, log } = options;
  const metrics = createWorkerMetrics(options.metrics);
  const agent = callbackAgent({ allow: settings.callback_allow, resolve: options.resolve ?? systemResolve, connectTimeoutMs: settings.callback_timeout });
  const callbacks = callbackContext(options, agent);
  const lanes = new Lanes({
    queue, log, metrics, invoke: options.invoke, maxBodyBytes: settings.max_body_bytes, defaultNamespace: settings.function_namespace, notRunGiveUpAfterMs: settings.not_run_give_up_after,
    defaults: {
      maxInFlight: settings.max_inflight,
      retry: { maxAttempts: settings.max_retry_attempts, minWaitMs: settings.initial_retry_wait, maxWaitMs: settings.max_retry_wait },
      retryCodes: settings.retry_http_codes,
    },
  });

  const handleCallback = async (delivery: Delivery<Callback>): Promise<Outcome> => {
    const outcome = await deliverCallback(delivery, callbacks);
    metrics.callbackEnded(outcome.kind, delivery.signal.aborted);
    return outcome;
  };
  let callbackConsumer: Consumer | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closing: Promise<void> | undefined;

  const look = async (): Promise<void> => {
    try {
      callbackConsumer ??= await queue.consumeCallbacks({ maxInFlight: settings.callback_max_inflight }, handleCallback);
      lanes.holding((await queue.stats()).lanes);
    } catch (error) {
      log.warn({ err: error }, 'queue cannot be looked at, to be tried again');
    }
  };
  const lookAgain = (): void => {
    timer = setTimeout(() => {
      looking = look().then(() => { if (!closing) lookAgain(); });
    }, options.lookEveryMs ?? 5_000);
  };
  let looking = look();
  const unwatch = options.functions.watch((functions) => { lanes.deployed(functions); });
  await looking;
  lookAgain();

  const close = async (): Promise<void> => {
    unwatch();
    clearTimeout(timer);
    const graceMs = settings.shutdown_timeout;
    await looking;
    const [calls, undelivered] = await Promise.all([
      lanes.close(graceMs), callbackConsumer?.stop(Math.min(settings.callback_timeout, graceMs)) ?? [],
    ]);
    if (calls.length > 0) log.warn({ call_ids: calls }, 'calls let go unfinished, they will be run again');
    if (undelivered.length > 0) log.warn({ call_ids: undelivered }, 'callbacks let go unfinished, they will be sent again');
    await agent.destroy();
  };
  return { close: () => (closing ??= close()) };
}

function callbackContext({ settings, log }: QueueWorkerOptions, agent: CallbackContext['agent']): CallbackContext {
  const { callback_min_wait: minWaitMs, callback_max_wait: maxWaitMs } = settings;
  return {
    agent,
    allow: settings.callback_allow,
    receivers: new Receivers({
      maxInFlightPerHost: settings.callback_max_inflight_per_host, failuresToPause: 5, minPauseMs: minWaitMs, maxPauseMs: maxWaitMs,
    }),
    schedule: { minWaitMs, maxWaitMs, giveUpAfterMs: settings.callback_give_up_after },
    timeoutMs: settings.callback_timeout,
    deadlines: new Deadlines(),
    userAgent: `postern-queue-worker/${version}`,
    log,
  };
}
