/**
 * The broker's side, by name: three streams and a durable consumer a lane; made when missing, checked when there.
 *
 *     POSTERN_CALLS      postern.call.<queue>.<namespace>.<function>       work queue: a message leaves when it is settled
 *     POSTERN_CALLBACKS  postern.callback.<queue>.<namespace>.<function>   work queue, one consumer: `callbacks`
 *     POSTERN_DEAD       postern.dead.<lane key> | postern.dead.callback   kept until somebody removes it
 *
 * What a difference would cost decides whether it stops us; sizes, replicas above ours and limits are the operator's.
 */
import {
  AckPolicy, type ConsumerConfig, type ConsumerInfo, DeliverPolicy, DiscardPolicy, nanos, ReplayPolicy, RetentionPolicy,
  type StreamConfig, type StreamInfo, StorageType,
} from 'nats';
import { type Lane, laneKey } from '../call.js';
import { QueueMisconfigured } from '../errors.js';
import { type Api, ApiError, errCodes } from './api.js';
import { sharedLeaseMs } from './leases.js';

export const streams = { calls: 'POSTERN_CALLS', callbacks: 'POSTERN_CALLBACKS', dead: 'POSTERN_DEAD' } as const;

export const callbackLane = 'callback';

/** Calls in one lane that run or wait for their next try; when so many do, the lane waits too. */
const maxAckPending = 100_000;

export interface StreamNeeds {
  readonly replicas: number;
  /** For how long a repeated publish is still recognised; the broker remembers every id for so long, in memory. */
  readonly duplicateWindowMs: number;
}

export function callSubject(lane: Lane): string {
  return `postern.call.${checked(laneKey(lane))}`;
}

export function callbackSubject(key: string): string {
  return `postern.callback.${key}`;
}

export function deadSubject(key: string): string {
  return `postern.dead.${key}`;
}

/** What would reach another subject than its own is a defect above: names are checked where they come in. */
function checked(key: string): string {
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(key)) throw new RangeError(`no lane has the key ${JSON.stringify(key)}`);
  return key;
}

/**
 * @throws {QueueMisconfigured} a stream is there and will not do
 * @throws {QueueUnavailable} the broker does not answer
 */
export async function ensureStreams(api: Api, needs: StreamNeeds): Promise<void> {
  const workQueue = { retention: RetentionPolicy.Workqueue, duplicate_window: nanos(needs.duplicateWindowMs) };
  await ensureStream(api, needs, { name: streams.calls, subjects: ['postern.call.>'], ...workQueue });
  // Settling is repeated for as long as it takes, beyond what a publish is given.
  const patient = { duplicate_window: nanos(Math.max(needs.duplicateWindowMs, 120_000)) };
  await ensureStream(api, needs, { name: streams.callbacks, subjects: ['postern.callback.>'], ...workQueue, ...patient });
  await ensureStream(api, needs, { name: streams.dead, subjects: ['postern.dead.>'], retention: RetentionPolicy.Limits, ...patient });
}

type Wanted = Pick<StreamConfig, 'name' | 'subjects' | 'retention' | 'duplicate_window'>;

async function ensureStream(api: Api, { replicas }: StreamNeeds, wanted: Wanted): Promise<void> {
  const fixed = { storage: StorageType.File, discard: DiscardPolicy.New };
  const config = await findStream(api, wanted.name)
    ?? await api.ask<StreamInfo>(`STREAM.CREATE.${wanted.name}`, { ...wanted, ...fixed, num_replicas: replicas }).then((made) => made.config)
      .catch((err: unknown) => { throw misconfigured(`stream ${wanted.name} cannot be made`, err); });
  const expect = { ...fixed, subjects: wanted.subjects, retention: wanted.retention, max_age: 0 } satisfies Partial<StreamConfig>;
  for (const [field, value] of Object.entries(expect)) {
    // Fields of the same config type, compared as the JSON they came in.
    differs(`stream ${wanted.name}`, field, config[field as keyof typeof expect], value);
  }
  if (config.num_replicas < replicas) differs(`stream ${wanted.name}`, 'num_replicas', config.num_replicas, `${replicas} or more`);
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
}

/** Filters must never overlap in a work queue: a lane has one consumer, and its name says which. */
export function laneConsumer(lane: Lane, leaseMs: number): ConsumerNeeds {
  // No name may hold a dot; no part of a lane's key holds `=`.
  return { stream: streams.calls, name: laneKey(lane).replaceAll('.', '='), filter: callSubject(lane), leaseMs };
}

export function callbackConsumer(leaseMs: number): ConsumerNeeds {
  return { stream: streams.callbacks, name: 'callbacks', filter: 'postern.callback.>', leaseMs };
}

/**
 * As {@link ensureStreams}. The lease is brought to ours: it is a setting, not a property of what is stored. But others
 * may share the consumer, and none of their leases may run out between two of their signs of life.
 */
export async function ensureConsumer(api: Api, { stream, name, filter, leaseMs }: ConsumerNeeds): Promise<void> {
  const wanted = {
    durable_name: name,
    filter_subject: filter,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    replay_policy: ReplayPolicy.Instant,
    ack_wait: nanos(leaseMs),
    // Giving up is the worker's to decide, with a dead letter; JetStream would leave the message stranded.
    max_deliver: -1,
    max_ack_pending: maxAckPending,
  } satisfies Partial<ConsumerConfig>;
  const put = (config: Partial<ConsumerConfig>): Promise<ConsumerInfo> =>
    api.ask<ConsumerInfo>(`CONSUMER.DURABLE.CREATE.${stream}.${name}`, { stream_name: stream, config })
      .catch((err: unknown) => { throw misconfigured(`consumer ${name} of stream ${stream} cannot be made`, err); });

  const found = await findConsumer(api, stream, name) ?? (await put(wanted)).config;
  for (const field of ['filter_subject', 'ack_policy', 'deliver_policy', 'max_deliver'] as const) {
    differs(`consumer ${name} of stream ${stream}`, field, found[field], wanted[field]);
  }
  const ackWait = Math.max(wanted.ack_wait, Math.min(found.ack_wait ?? 0, nanos(sharedLeaseMs)));
  if (found.ack_wait !== ackWait) await put({ ...found, ack_wait: ackWait });
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

/** Only JetStream's own refusal is a misconfiguration; silence is not. */
function misconfigured(what: string, err: unknown): unknown {
  return err instanceof ApiError ? new QueueMisconfigured(`${what}: ${err.message} (${err.errCode})`, { cause: err }) : err;
}
