/**
 * What the provider's server and the remote driver say to each other, in JSON: OpenFaaS's provider protocol, with a
 * key of ours in a function's status (`endpoints`) and the events of `GET /system/watch`.
 * Not here: a FunctionDeployment, a plain FunctionStatus (deployment.ts).
 */
import { z } from 'zod';
import { functionStatus } from './deployment.js';
import type { FunctionEvent, FunctionState, LogLine, ProviderInfo } from './provider.js';

/** A blank line comes this often on `/system/watch`, so that a silent stream is known to be a broken one. */
export const heartbeatMs = 5_000;

/** What `GET /system/watch` sends, a line each. */
export function encodeEvent(event: FunctionEvent): unknown {
  return event.kind === 'changed' ? { kind: event.kind, function: encodeState(event.state) } : event;
}

/** OpenFaaS's FunctionStatus, with the replicas' addresses. */
export function encodeState(state: FunctionState): object {
  return { ...functionStatus(state), endpoints: state.endpoints };
}

/** OpenFaaS's provider info: the version is an object there. */
export function encodeInfo({ version, ...info }: ProviderInfo): object {
  return { ...info, version: { release: version, sha: '' } };
}

// Go leaves out what is empty, and writes an empty map as null.
const texts = z.record(z.string(), z.string()).nullish().transform((map) => map ?? {});
const list = z.array(z.string()).nullish().transform((items) => items ?? []);
const resources = z.object({ memory: z.string().optional(), cpu: z.string().optional() }).nullish().transform((given) => given ?? {});
const ref = z.object({ name: z.string(), namespace: z.string() });

const status = ref.extend({
  image: z.string().default(''),
  envProcess: z.string().default(''),
  envVars: texts,
  constraints: list,
  secrets: list,
  labels: texts,
  annotations: texts,
  limits: resources,
  requests: resources,
  readOnlyRootFilesystem: z.boolean().default(false),
  replicas: z.int().min(0).default(0),
  createdAt: z.string().default('0001-01-01T00:00:00Z'),
  endpoints: z.array(z.object({ replica: z.string(), url: z.string() })).default([]),
  reason: z.string().optional(),
}).transform(({ replicas, createdAt, endpoints, reason, ...spec }): FunctionState => (
  { spec, replicas, endpoints, createdAt, ...(reason === undefined ? {} : { reason }) }
));

const statusList = z.array(status);

const event = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('changed'), function: status }),
  z.object({ kind: z.literal('removed'), ref }),
  z.object({ kind: z.literal('synced'), refs: z.array(ref) }),
]).transform((told): FunctionEvent => (told.kind === 'changed' ? { kind: told.kind, state: told.function } : told));

const logLine = ref.extend({ instance: z.string(), timestamp: z.string(), text: z.string() });

const info = z.object({
  provider: z.string(), orchestration: z.string(), version: z.object({ release: z.string().default('') }),
}).transform(({ version, ...rest }): ProviderInfo => ({ ...rest, version: version.release }));

/** Each throws a ZodError when the other side speaks something else. */
export const decodeState = (json: unknown): FunctionState => status.parse(json);
export const decodeStates = (json: unknown): FunctionState[] => statusList.parse(json);
export const decodeEvent = (json: unknown): FunctionEvent => event.parse(json);
export const decodeLogLine = (json: unknown): LogLine => logLine.parse(json);
export const decodeInfo = (json: unknown): ProviderInfo => info.parse(json);
