/**
 * How one function's calls are treated: the worker's settings, and over them the function's annotations:
 *
 *     com.openfaas.queue            a-z 0-9 - _     the queue its calls wait in
 *     com.openfaas.retry.attempts   1 …             attempts in all
 *     com.openfaas.retry.codes      429,503         statuses worth another try
 *     com.openfaas.retry.min_wait   10s             first wait, doubled each time
 *     com.openfaas.retry.max_wait   2m              longest wait
 *     postern.max-inflight          1 …             calls running at a time, by one worker
 *
 * One that cannot be read leaves the worker's setting in force and is named, so that it can be logged.
 */
import { queueName } from '@postern/queue';
import { parseDuration } from '@postern/settings';
import type { RetryPolicy } from './retry-policy.js';

export interface FunctionRules {
  readonly maxInFlight: number;
  readonly retry: RetryPolicy;
  readonly retryCodes: ReadonlySet<number>;
}

export interface UnreadAnnotation {
  readonly annotation: string;
  readonly value: string;
  readonly expected: string;
}

export function readRules(
  annotations: Readonly<Record<string, string>>, defaults: FunctionRules,
): { readonly rules: FunctionRules; readonly unread: readonly UnreadAnnotation[] } {
  const unread: UnreadAnnotation[] = [];
  const read = <T>(annotation: string, parse: (text: string) => T | undefined, expected: string, fallback: T): T => {
    const value = annotations[annotation];
    if (value === undefined) return fallback;
    const parsed = parse(value);
    if (parsed === undefined) unread.push({ annotation, value, expected });
    return parsed ?? fallback;
  };
  const { retry } = defaults;
  const rules = {
    maxInFlight: read('postern.max-inflight', parseCount, count, defaults.maxInFlight),
    retry: {
      maxAttempts: read('com.openfaas.retry.attempts', parseCount, count, retry.maxAttempts),
      minWaitMs: read('com.openfaas.retry.min_wait', parseDuration, wait, retry.minWaitMs),
      maxWaitMs: read('com.openfaas.retry.max_wait', parseDuration, wait, retry.maxWaitMs),
    },
    retryCodes: read('com.openfaas.retry.codes', parseCodes, 'statuses such as 429,503', defaults.retryCodes),
  };
  read('com.openfaas.queue', (text) => (queueName.test(text) ? text : undefined), 'a-z 0-9 - _', 'default');
  return { rules, unread };
}

const count = 'a whole number from 1 to 100000';
const wait = 'a duration such as 30s or 2m';

function parseCount(text: string): number | undefined {
  const value = /^\d{1,6}$/.test(text.trim()) ? Number(text) : 0;
  return value >= 1 && value <= 100_000 ? value : undefined;
}

/** @returns `undefined` unless every part is an HTTP status */
export function parseCodes(text: string): ReadonlySet<number> | undefined {
  const parts = text.split(',').map((part) => part.trim()).filter((part) => part !== '');
  const valid = parts.length > 0 && parts.every((part) => /^[1-5]\d\d$/.test(part));
  return valid ? new Set(parts.map(Number)) : undefined;
}
