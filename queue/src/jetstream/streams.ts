/**
 * The broker's side, by name: three streams and a durable consumer a lane; made when missing, checked when there.
 *
 *     POSTERN_CALLS      postern.call.<queue>.<namespace>.<function>       work queue: a message leaves when it is settled
 *     POSTERN_CALLBACKS  postern.callback.<queue>.<namespace>.<function>   work queue, one consumer: `callbacks`
 *     POSTERN_DEAD       postern.dead.<lane key> | postern.dead.callback   kept until removed, or a limit is set
 *
 * What a difference would cost decides whether it stops us; sizes, replicas and limits are the operator's, and
 * so is how many dead letters are kept, and for how long.
 */
import {
  AckPolicy, type ConsumerConfig, type ConsumerInfo, DeliverPolicy, DiscardPolicy, nanos, ReplayPolicy, RetentionPolicy,
  type StreamConfig, type StreamInfo, StorageType,
} from 'nats';
import { checkedLaneKey, type Lane, laneKey } from '../call.js';
import { QueueMisconfigured } from '../errors.js';
import { type Api, ApiError, errCodes } from './api.js';
import { sharedLeaseMs } from './leases.js';

export const streams = { calls: 'POSTERN_CALLS', callbacks: 'POSTERN_CALLBACKS', dead: 'POSTERN_DEAD' } as const;

export const callbackLane = 'callback';

/** Calls in one lane that run or wait for their next try; when so many do, the lane waits too. */
const maxAckPending = 100_000;

/**
 * All receivers share the callbacks' lane: those of one that does not answer wait here while the others' pass. Each that
 * waits costs the broker some 100 bytes of memory, and of the consumer's state on disk, which is rewritten as a whole.
 */
const maxCallbacksPending = 1_000_000;

/**
 * A durable consumer nobody has pulled from for 30 days goes: its function is undeployed, or nothing runs here. It holds
 * what the calls themselves do not, attempts and waits: a call that still waits then is delivered as if for the first time.
 */
const inactiveMs = 30 * 86_400_000;

export interface StreamNeeds {
  /** For how long a repeated publish is still recognised; the broker remembers every id for so long, in memory. */
  readonly duplicateWindowMs: number;
}

export function callSubject(lane: Lane): string {
  return `postern.call.${checkedLaneKey(lane)}`;
}

export function callbackSubject(key: string): string {
  return `postern.callback.${key}`;
}

export function deadSubject(key: string): string {
  return `postern.dead.${key}`;
}

/**
 * @throws {QueueMisconfigured} a stream is there and will not do
 * @throws {QueueUnavailable} the broker does not answer
 */
export async function ensureStreams(api: Api, needs: StreamNeeds): Promise<void> {
  const workQueue = { retention: RetentionPolicy.Workqueue, discard: DiscardPolicy.New, duplicate_window: nanos(needs.duplicateWindowMs) };
  await ensureStream(api, { name: streams.calls, subjects: ['postern.call.>'], ...workQueue });
  // Settling is repeated for as long as it takes, beyond what a publish is given.
  const patient = { duplicate_window: nanos(Math.max(needs.duplicateWindowMs, 120_000)) };
  await ensureStream(api, { name: streams.callbacks, subjects: ['postern.callback.>'], ...workQueue, ...patient });
  await ensureStream(api, { name: streams.dead, subjects: ['postern.dead.>'], retention: RetentionPolicy.Limits, discard: DiscardPolicy.Old, ...patient });
}

type Wanted = Pick<StreamConfig, 'name' | 'subjects' | 'retention' | 'discard' | 'duplicate_window'>;

async function ensureStream(api: Api, wanted: Wanted): Promise<void> {
  const config = await findStream(api, wanted.name)
    ?? await api.ask<StreamInfo>(`STREAM.CREATE.${wanted.name}`, { ...wanted, storage: StorageType.File }).then((made) => made.config)
      .catch((err: unknown) => { throw misconfigured(`stream ${wanted.name} cannot be made`, err); });
  const { subjects, retention, discard } = wanted;
  // Waiting calls must neither grow too old nor make room for others; dead letters may.
  const keepsAll = retention === RetentionPolicy.Workqueue ? { discard, max_age: 0 } : {};
  const expect: Partial<StreamConfig> = { storage: StorageType.File, subjects, retention, ...keepsAll };
  for (const [field, value] of Object.entries(expect)) {
    // Fields of the same config type, compared as the JSON they came in.
    differs(`stream ${wanted.name}`, field, config[field as keyof StreamConfig], value);
  }
  // Follows from our settings, and may be raised while others use the stream.
  if (config.duplicate_window < wanted.duplicate_window) {
    await api.ask(`STREAM.UPDATE.${wanted.name}`, { ...config, duplicate_window: wanted.duplicate_window })
      .catch((err: unknown) => { throw misconfigured(`stream ${wanted.name} cannot be changed`, err); });
  }
}

async function findStream(api: Api, name: string): Promise<StreamConfig | undefined> {
  try {
    return (await api.ask<StreamInfo>(`STREAM.INFO.${name}`)).config;
  } catch (err) {
    if (err instanceof ApiError && err.errCode === errCodes.streamNotFound) return undefined;
    throw misconfigured(`stream ${name} cannot be looked at`, err);
  }
}

/** Whom a lane's deliveries come from. */
export interface ConsumerNeeds {
  readonly stream: string;
  readonly name: string;
  readonly filter: string;
  readonly leaseMs: number;
  /** How many may be delivered and not settled, those that wait for their next try included. */
  readonly maxPending: number;
}

/** Filters must never overlap in a work queue: a lane has one consumer, and its name says which. */
export function laneConsumer(lane: Lane, leaseMs: number): ConsumerNeeds {
  // No name may hold a dot; no part of a lane's key holds `=`.
  return { stream: streams.calls, name: laneKey(lane).replaceAll('.', '='), filter: callSubject(lane), leaseMs, maxPending: maxAckPending };
}

export function callbackConsumer(leaseMs: number): ConsumerNeeds {
  return { stream: streams.callbacks, name: 'callbacks', filter: 'postern.callback.>', leaseMs, maxPending: maxCallbacksPending };
}

/**
 * As {@link ensureStreams}. The lease is brought to ours: it is a setting, not a property of what is stored. But others
 * may share the consumer, and none of their leases may run out between two of their signs of life.
 */
export async function ensureConsumer(api: Api, { stream, name, filter, leaseMs, maxPending }: ConsumerNeeds): Promise<void> {
  const wanted = {
    durable_name: name,
    filter_subject: filter,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    replay_policy: ReplayPolicy.Instant,
    ack_wait: nanos(leaseMs),
    // Giving up is the worker's to decide, with a dead letter; JetStream would leave the message stranded.
    max_deliver: -1,
    max_ack_pending: maxPending,
    inactive_threshold: nanos(inactiveMs),
  } satisfies Partial<ConsumerConfig>;
  const put = (config: Partial<ConsumerConfig>): Promise<ConsumerInfo> =>
    api.ask<ConsumerInfo>(`CONSUMER.DURABLE.CREATE.${stream}.${name}`, { stream_name: stream, config })
      .catch((err: unknown) => { throw misconfigured(`consumer ${name} of stream ${stream} cannot be made`, err); });

  const found = await findConsumer(api, stream, name) ?? (await put(wanted)).config;
  for (const field of ['filter_subject', 'ack_policy', 'deliver_policy', 'max_deliver'] as const) {
    differs(`consumer ${name} of stream ${stream}`, field, found[field], wanted[field]);
  }
  const ackWait = Math.max(wanted.ack_wait, Math.min(found.ack_wait ?? 0, nanos(sharedLeaseMs)));
  const { max_ack_pending: pending = 0, inactive_threshold: threshold = 0 } = found;
  // Below 1 there is no limit; a higher one, or another threshold, is the operator's.
  const tooFew = pending > 0 && pending < maxPending;
  if (found.ack_wait === ackWait && !tooFew && threshold > 0) return;
  await put({
    ...found, ack_wait: ackWait, max_ack_pending: tooFew ? maxPending : pending, inactive_threshold: threshold || wanted.inactive_threshold,
  });
}

async function findConsumer(api: Api, stream: string, name: string): Promise<ConsumerConfig | undefined> {
  try {
    return (await api.ask<ConsumerInfo>(`CONSUMER.INFO.${stream}.${name}`)).config;
  } catch (err) {
    if (err instanceof ApiError && err.errCode === errCodes.consumerNotFound) return undefined;
    throw misconfigured(`consumer ${name} of stream ${stream} cannot be looked at`, err);
  }
}

function differs(what: string, field: string, found: unknown, wanted: unknown): void {
  const [has, needs] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (has !== needs) {
    throw new QueueMisconfigured(`${what} has ${field} ${has}, but ${needs} is needed: change it, or use another NATS account`);
  }
}

/** Only JetStream's own refusal is a misconfiguration; silence is not, nor is a stream that is about to be made again. */
function misconfigured(what: string, err: unknown): unknown {
  return err instanceof ApiError && err.errCode !== errCodes.streamNotFound ? new QueueMisconfigured(`${what}: ${err.message} (${err.errCode})`, { cause: err }) : err;
}
