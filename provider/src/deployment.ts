/**
 * OpenFaaS's JSON for functions: FunctionDeployment in and out, FunctionStatus out.
 * The gateway and the provider's own server both speak it through here.
 * Not here: the rules a specification must keep (function-rules.ts).
 */
import { z } from 'zod';
import { InvalidFunction } from './errors.js';
import { findFaults } from './function-rules.js';
import type { FunctionSpec, FunctionState, Resources } from './provider.js';
import { describeIssue } from './zod-issue.js';

/** What GET /system/functions tells of a function. As in OpenFaaS, whatever is empty or 0 is left out, but for name, image and createdAt. */
export interface FunctionStatus {
  readonly name: string;
  readonly image: string;
  readonly namespace?: string;
  readonly envProcess?: string;
  readonly envVars?: Readonly<Record<string, string>>;
  readonly constraints?: readonly string[];
  readonly secrets?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly limits?: Resources;
  readonly requests?: Resources;
  readonly readOnlyRootFilesystem?: boolean;
  /** Wanted. */
  readonly replicas?: number;
  /** Ready now. */
  readonly availableReplicas?: number;
  /** RFC 3339. */
  readonly createdAt: string;
  /** Not OpenFaaS's: why replicas are missing. */
  readonly reason?: string;
}

// Go reads null as the empty value of any type, and so do clients written against it.
const text = z.string().nullish().transform((value) => value ?? '');
const texts = z.array(z.string()).nullish().transform((value) => value ?? []);
const textMap = z.record(z.string(), z.string()).nullish().transform((value) => value ?? {});
const resources = z.object({ memory: text, cpu: text }).nullish().transform((value): Resources => ({
  ...(value?.memory ? { memory: value.memory } : {}),
  ...(value?.cpu ? { cpu: value.cpu } : {}),
}));

const deployment = z.object({
  service: z.string(), image: text, namespace: text, envProcess: text, envVars: textMap, constraints: texts, secrets: texts,
  labels: textMap, annotations: textMap, limits: resources, requests: resources,
  readOnlyRootFilesystem: z.boolean().nullish().transform((value) => value ?? false),
});

/** The specification's fields under the names the JSON has for them, where they differ. */
const jsonNames: Partial<Record<keyof FunctionSpec, string>> = { name: 'service' };

/**
 * Reads a FunctionDeployment. Unknown keys are ignored, as OpenFaaS does.
 * @throws {InvalidFunction} naming the first wrong field
 */
export function parseFunctionSpec(json: unknown, defaultNamespace: string): FunctionSpec {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new InvalidFunction('expected a JSON object that describes a function');
  const parsed = deployment.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new InvalidFunction(issue ? `${issue.path.join('.')}: ${describeIssue(issue, json)}` : 'not a function');
  }
  const { service, namespace, ...rest } = parsed.data;
  const spec = { ...rest, name: service, namespace: namespace === '' ? defaultNamespace : namespace };
  assertValid(spec);
  return spec;
}

/** @throws {InvalidFunction} naming the first fault, in the words of the JSON */
export function assertValid(spec: FunctionSpec): void {
  const [fault] = findFaults(spec);
  if (!fault) return;
  const field = jsonNames[fault.field] ?? fault.field;
  throw new InvalidFunction(`${fault.key === undefined ? field : `${field}.${fault.key}`}: ${fault.message}`);
}

/** The FunctionDeployment that {@link parseFunctionSpec} reads as this specification. */
export function functionDeployment({ name, ...spec }: FunctionSpec): object {
  return { service: name, ...spec };
}

export function functionStatus(state: FunctionState): FunctionStatus {
  const { spec } = state;
  return {
    name: spec.name,
    image: spec.image,
    ...present('namespace', spec.namespace),
    ...present('envProcess', spec.envProcess),
    ...present('envVars', spec.envVars),
    ...present('constraints', spec.constraints),
    ...present('secrets', spec.secrets),
    ...present('labels', spec.labels),
    ...present('annotations', spec.annotations),
    ...present('limits', spec.limits),
    ...present('requests', spec.requests),
    ...present('readOnlyRootFilesystem', spec.readOnlyRootFilesystem),
    ...present('replicas', state.replicas),
    ...present('availableReplicas', state.endpoints.length),
    createdAt: state.createdAt,
    ...present('reason', state.reason),
  };
}

/** Go's `omitempty`. */
function present<Key extends string, Value>(key: Key, value: Value): { readonly [K in Key]?: Value } {
  const empty = value === undefined || value === '' || value === 0 || value === false
    || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
  // A computed key is a string to the compiler, whatever its type says.
  return empty ? {} : { [key]: value } as { readonly [K in Key]?: Value };
}
