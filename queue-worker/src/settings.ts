/** The queue-worker's settings, under OpenFaaS's names where OpenFaaS has one. */
import { type CallbackAllow, parseCallbackAllow } from '@postern/queue';
import { duration, flag, httpUrl, integer, list } from '@postern/settings';
import { z } from 'zod';
import { defaultRetryCodes } from './classify.js';
import { parseCodes } from './function-rules.js';

const retryCodes = z.string().default(defaultRetryCodes.join(',')).transform((text, ctx): ReadonlySet<number> => {
  const codes = parseCodes(text);
  if (codes) return codes;
  ctx.addIssue({ code: 'custom', message: 'HTTP statuses such as 429,503' });
  return z.NEVER;
});

const callbackAllow = list().transform((entries, ctx): CallbackAllow => {
  try {
    return parseCallbackAllow(entries);
  } catch {
    ctx.addIssue({ code: 'custom', message: 'CIDRs, addresses and host names, or *' });
    return z.NEVER;
  }
});

/** What a worker needs wherever it runs. */
export const queueWorkerSettings = z.object({
  max_inflight: integer(50, 1, 100_000).describe('Calls of one function that one worker has in hand at a time: running, or waiting while the function has no room. A function\'s own: annotation postern.max-inflight.'),
  max_retry_attempts: integer(10, 1, 100_000).describe('Attempts in all before a call is a dead letter.'),
  initial_retry_wait: duration('10s').describe('Longest wait before the second attempt; doubled for each one after it.'),
  max_retry_wait: duration('120s').describe('Longest wait between two attempts.'),
  not_run_give_up_after: duration('24h').describe('While every replica is full or the gateway is away a call that has come up waits, which uses no attempts; it is given up so long after it was first refused.'),
  retry_http_codes: retryCodes.describe('Statuses of a function that are tried again; any other is its answer.'),
  function_namespace: z.string().default('openfaas-fn').describe('Namespace of functions that name none.'),
  upstream_timeout: duration('60s').describe('Longest time a function may take to answer; 0 means no limit.'),
  max_body_bytes: integer(1_000_000, 1).describe('Largest answer that is kept for a callback; a larger one makes the call a dead letter. Without a callback any size will do.'),
  callback_allow: callbackAllow.describe('Private addresses, CIDRs or host names that callbacks may go to; * for all.'),
  callback_timeout: duration('30s').describe('Longest time a receiver may take to answer a callback.'),
  callback_max_inflight: integer(200, 1, 100_000).describe('Callbacks that one worker delivers at a time.'),
  callback_max_inflight_per_host: integer(10, 1, 100_000).describe('Callbacks that one worker delivers to one host at a time.'),
  callback_min_wait: duration('1s').describe('Longest wait before a callback\'s second try.'),
  callback_max_wait: duration('5m').describe('Longest wait between two tries of a callback, unless its receiver asks for more.'),
  callback_give_up_after: duration('24h').describe('So long after its call ended a callback is given up.'),
  shutdown_timeout: duration('60s').describe('Longest wait, when the worker stops, for calls that are running.'),
});

/** And as a program of its own. */
export const queueWorkerProgramSettings = queueWorkerSettings.extend({
  NATS_URL: z.string().default('nats://127.0.0.1:4222').describe('NATS server with JetStream.'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], { error: 'trace, debug, info, warn, error, fatal or silent' })
    .default('info').describe('Least serious line that is logged.'),
  HOST: z.string().default('127.0.0.1').describe('Address of /healthz and /metrics.'),
  metrics_port: integer(8081, 0, 65_535).describe('Port of /healthz and /metrics; 0 picks a free one.'),
  gateway_url: httpUrl().prefault('http://127.0.0.1:8080').describe('Gateway that runs the functions.'),
  ack_wait: duration('30s').refine((ms) => ms >= 5_000 && ms <= 300_000, 'a duration from 5s to 5m').describe('After so long without a sign of life from a worker its calls go to another. Of workers that share a lane the longest holds.'),
  basic_auth: flag(false).describe('The gateway asks for user and password.'),
  secret_mount_path: z.string().default('/run/secrets').describe('Folder with the files basic-auth-user and basic-auth-password.'),
});

export type QueueWorkerSettings = z.output<typeof queueWorkerSettings>;
export type QueueWorkerProgramSettings = z.output<typeof queueWorkerProgramSettings>;
