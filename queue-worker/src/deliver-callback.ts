/**
 * One delivery of a callback, from the callbacks' own lane to its receiver: POST, judge the answer, decide.
 * 2xx is done, 410 is the receiver's wish to hear no more, anything else is tried again for `callback_give_up_after`.
 */
import type { Callback, Cause, Delivery, Outcome } from '@postern/queue';
import { BadCallbackUrl, type CallbackAllow, type HeaderList, checkCallbackUrl } from '@postern/queue';
import type { Logger } from 'pino';
import type { Dispatcher } from 'undici';
import { type CallbackSchedule, nextCallbackTry } from './callback-schedule.js';
import { headerValue } from './classify.js';
import type { Deadlines } from './deadlines.js';
import { ExchangeError } from './errors.js';
import { exchange } from './http-exchange.js';
import { endedAtHeader } from './make-callback.js';
import type { Receivers } from './receivers.js';
import { type Env, systemEnv } from './retry-policy.js';

export interface CallbackContext {
  readonly agent: Dispatcher;
  readonly allow: CallbackAllow;
  readonly receivers: Receivers;
  readonly schedule: CallbackSchedule;
  readonly timeoutMs: number;
  readonly deadlines: Deadlines;
  readonly userAgent: string;
  readonly log: Logger;
}

type Reply =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfter: string | undefined }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

// A receiver's answer is read, so that its connection can be used again, but nobody needs it.
const maxAnswerBytes = 64 * 1024;
// Statuses by which a host, not one of its paths, says that it cannot serve now.
const hostIsUnwell = new Set([429, 502, 503, 504]);

// What another try cannot change.
const lasting = new Set(['gone', 'address_refused', 'bad_call']);

export async function deliverCallback(delivery: Delivery<Callback>, context: CallbackContext, env = systemEnv): Promise<Outcome> {
  const { item, attempt } = delivery;
  const url = readUrl(item.url, context.allow);
  if (url instanceof BadCallbackUrl) return giveUp(delivery, 'address_refused', url.message, context);
  const admission = context.receivers.enter(url.host);
  if (admission.kind === 'hold') return hold(delivery, admission.delayMs, context, env);

  const startMs = performance.now();
  const reply = await post(url, delivery, context);
  const tookMs = performance.now() - startMs;
  context.receivers.left(url.host, reply.kind === 'answered' && !hostIsUnwell.has(reply.status), tookMs);
  if (delivery.signal.aborted) return { kind: 'retry', delayMs: 0 };

  const seen = { call_id: item.callId, receiver: url.origin, attempt, duration_ms: Math.round(tookMs) };
  if (reply.kind === 'answered' && reply.status >= 200 && reply.status < 300) {
    context.log.info({ ...seen, status: reply.status }, 'callback delivered');
    return { kind: 'done' };
  }
  const { code, message, status } = failure(reply);
  if (lasting.has(code)) return giveUp(delivery, code, message, context, status);
  const next = nextCallbackTry(endedAtMs(item.headers), context.schedule, reply.kind === 'answered' ? reply.retryAfter : undefined, env);
  if (next.kind === 'give-up') return giveUp(delivery, code, message, context, status);
  context.log.warn({ ...seen, code, status, reason: message, delay_ms: next.delayMs }, 'callback failed, to be tried again');
  return { kind: 'retry', delayMs: next.delayMs };
}

async function post(url: URL, { item, signal }: Delivery<Callback>, context: CallbackContext): Promise<Reply> {
  const { agent, timeoutMs, deadlines } = context;
  const request = {
    origin: url.origin, target: url.pathname + url.search, method: 'POST', headers: requestHeaders(item.headers, url, context.userAgent), body: item.body,
  };
  const timeoutMessage = `The receiver did not answer within callback_timeout (${timeoutMs} ms).`;
  try {
    const { status, headers } = await exchange(agent, request, { timeoutMs, timeoutMessage, maxBodyBytes: maxAnswerBytes, whenLonger: 'stop', signal }, deadlines);
    return { kind: 'answered', status, retryAfter: headerValue(headers, 'retry-after') };
  } catch (error) {
    const code = error instanceof ExchangeError ? error.code : 'unreachable';
    return { kind: 'failed', code, message: error instanceof Error ? error.message : 'The receiver could not be reached.' };
  }
}

function failure(reply: Reply): { readonly code: string; readonly message: string; readonly status?: number } {
  if (reply.kind === 'failed') return reply;
  const { status } = reply;
  if (status === 410) return { code: 'gone', message: 'The receiver answered 410: it wants no more callbacks.', status };
  if (status >= 300 && status < 400) return { code: 'redirected', message: `The receiver answered ${status}; redirects are not followed.`, status };
  return { code: 'status', message: `The receiver answered ${status}.`, status };
}

/** Held back for its host's sake. Too late to go on, it is given up all the same, so that it does not circle for ever. */
function hold(delivery: Delivery<Callback>, delayMs: number, context: CallbackContext, env: Env): Outcome {
  const next = nextCallbackTry(endedAtMs(delivery.item.headers), context.schedule, undefined, env);
  if (next.kind === 'retry' || delivery.attempt === 1) return { kind: 'retry', delayMs };
  return giveUp(delivery, 'receiver_failing', 'The receiver\'s host kept failing until there was no time left.', context);
}

function giveUp({ item, attempt }: Delivery<Callback>, code: string, message: string, { log }: CallbackContext, status?: number): Outcome {
  const cause: Cause = { code, message, attempts: attempt, ...(status === undefined ? {} : { status }) };
  log.warn({ call_id: item.callId, attempt, code, status, reason: message }, 'callback given up');
  return { kind: 'dead', cause };
}

function readUrl(text: string, allow: CallbackAllow): URL | BadCallbackUrl {
  try {
    return checkCallbackUrl(text, allow);
  } catch (error) {
    if (error instanceof BadCallbackUrl) return error;
    throw error;
  }
}

function requestHeaders(headers: HeaderList, url: URL, userAgent: string): string[] {
  const flat = ['User-Agent', userAgent];
  const credentials = url.username !== '' || url.password !== '';
  for (const [name, value] of headers) {
    if (name === endedAtHeader || (credentials && name.toLowerCase() === 'authorization')) continue;
    flat.push(name, value);
  }
  if (credentials) {
    const pair = `${decoded(url.username)}:${decoded(url.password)}`;
    flat.push('Authorization', `Basic ${Buffer.from(pair).toString('base64')}`);
  }
  return flat;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** A callback that does not say when its call ended was made by someone else: it has one try. */
function endedAtMs(headers: HeaderList): number {
  const text = headerValue(headers, endedAtHeader.toLowerCase()) ?? '';
  return /^\d{1,16}$/.test(text) ? Number(text) : 0;
}
