/**
 * What any provider demands of a function's specification, whoever wrote it: names, labels, annotations, amounts.
 * Pure; the writer of the specification learns every fault by field, so that a file's reader can point at the line.
 * Not here: shapes and types (deployment.ts for JSON, stack/ for YAML), what one driver can run (process/launch.ts).
 */
import { parseDuration } from '@postern/settings';
import type { FunctionSpec } from './provider.js';
import { parseCpu, parseMemory } from './quantity.js';

/** The template a local handler is written for: `node`, `python3-http` … */
export const langAnnotation = 'postern.lang';
/** A local handler's folder or file, as an absolute path. */
export const handlerAnnotation = 'postern.handler';

/** Of one function. More is a slip of the hand, and would take the machine down. */
export const maxReplicas = 1_000;

/** One thing wrong: `key` is the entry of a map or list, where the field is one. */
export interface Fault {
  readonly field: keyof FunctionSpec;
  readonly key?: string;
  readonly message: string;
}

type Rule = { readonly expected: string; readonly holds: (text: string) => boolean };

const whole = (min: number, max = Number.MAX_SAFE_INTEGER): Rule => ({
  expected: max === Number.MAX_SAFE_INTEGER ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`,
  holds: (text) => /^\d+$/.test(text) && Number(text) >= min && Number(text) <= max,
});
const duration: Rule = { expected: 'a duration such as 30s or 15m', holds: (text) => parseDuration(text) !== undefined };

/** Where a wrong value would silently scale or route amiss. Retry annotations are not here: a wrong one means the worker's default. */
const labelRules: Readonly<Record<string, Rule>> = {
  'com.openfaas.scale.min': whole(0, maxReplicas),
  'com.openfaas.scale.max': whole(1),
  'com.openfaas.scale.factor': whole(0, 100),
  'com.openfaas.scale.target': whole(1),
  'com.openfaas.scale.target-proportion': {
    expected: 'a number above 0 and up to 1', holds: (text) => /^\d*\.?\d+$/.test(text) && Number(text) > 0 && Number(text) <= 1,
  },
  'com.openfaas.scale.zero': { expected: 'true or false', holds: (text) => text === 'true' || text === 'false' },
  'com.openfaas.scale.zero-duration': duration,
  'com.openfaas.scale.down.window': duration,
};
const annotationRules: Readonly<Record<string, Rule>> = {
  'com.openfaas.queue': { expected: '1 to 63 of a-z, 0-9, - and _', holds: (text) => /^[a-z0-9_-]{1,63}$/.test(text) },
  'postern.max-inflight': whole(1),
  [handlerAnnotation]: { expected: 'an absolute path', holds: (text) => text.startsWith('/') || /^[A-Za-z]:[\\/]/.test(text) },
};

const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** @returns what is wrong with it as a function's name; `undefined` when nothing is */
export function nameFault(name: string): string | undefined {
  if (name.length > 63 || !dnsLabel.test(name)) {
    return `${JSON.stringify(name)} is no function name: expected 1 to 63 of a-z, 0-9 and -, with no - at either end`;
  }
  // GET /async-function/<call id> and a function of that name could not be told apart.
  return uuid.test(name) ? `${JSON.stringify(name)} is shaped like a call id (a UUID): choose another name` : undefined;
}

/** Everything wrong with a specification, in its own order; empty when it may be deployed. */
export function findFaults(spec: FunctionSpec): Fault[] {
  const faults: Fault[] = [];
  const name = nameFault(spec.name);
  if (name !== undefined) faults.push({ field: 'name', message: name });
  if (spec.namespace.length > 63 || !dnsLabel.test(spec.namespace)) {
    faults.push({ field: 'namespace', message: `${JSON.stringify(spec.namespace)} is no namespace: expected 1 to 63 of a-z, 0-9 and -` });
  }
  if (spec.image === '' && spec.envProcess === '' && spec.annotations[handlerAnnotation] === undefined) {
    faults.push({ field: 'image', message: 'nothing to run: expected an image, a program (fprocess) or a handler' });
  }
  for (const key of Object.keys(spec.envVars)) {
    if (!/^[^=\0]+$/.test(key)) faults.push({ field: 'envVars', key, message: 'no name for an environment variable' });
    else if (spec.envVars[key]?.includes('\0')) faults.push({ field: 'envVars', key, message: 'expected text without NUL characters' });
  }
  for (const secret of spec.secrets) {
    // A secret's name becomes a file's name.
    if (!/^[A-Za-z0-9][-._A-Za-z0-9]{0,252}$/.test(secret)) {
      faults.push({ field: 'secrets', key: secret, message: `${JSON.stringify(secret)} is no secret name: expected letters, digits, - _ and .` });
    }
  }
  checkValues('labels', spec.labels, labelRules, faults);
  const min = spec.labels['com.openfaas.scale.min'];
  const max = spec.labels['com.openfaas.scale.max'];
  if (min !== undefined && max !== undefined && Number(min) > Number(max)) {
    faults.push({ field: 'labels', key: 'com.openfaas.scale.min', message: `${min} is more than com.openfaas.scale.max (${max})` });
  }
  checkValues('annotations', spec.annotations, annotationRules, faults);
  for (const field of ['limits', 'requests'] as const) {
    const { memory, cpu } = spec[field];
    if (memory !== undefined && parseMemory(memory) === undefined) {
      faults.push({ field, key: 'memory', message: `${JSON.stringify(memory)}: expected an amount such as 128Mi or 1Gi` });
    }
    if (cpu !== undefined && parseCpu(cpu) === undefined) {
      faults.push({ field, key: 'cpu', message: `${JSON.stringify(cpu)}: expected an amount such as 250m or 1.5` });
    }
  }
  return faults;
}

function checkValues(
  field: 'labels' | 'annotations', values: Readonly<Record<string, string>>, rules: Readonly<Record<string, Rule>>, faults: Fault[],
): void {
  for (const [key, text] of Object.entries(values)) {
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
    if (rule && !rule.holds(text)) faults.push({ field, key, message: `${JSON.stringify(text)}: expected ${rule.expected}` });
  }
}

/** Replicas a function starts with: `com.openfaas.scale.min`, 1 when it does not say. */
export function minReplicas(spec: FunctionSpec): number {
  const text = spec.labels['com.openfaas.scale.min'];
  return text === undefined ? 1 : Number(text);
}
