/** A zod issue as the end of a sentence: what was expected, what was there. Not here: where it was (each reader knows its own format). */
import type { z } from 'zod';

const expectedNames: Readonly<Record<string, string>> = {
  string: 'text', number: 'a number', boolean: 'true or false', array: 'a list', object: 'a mapping', record: 'a mapping',
};

/** @param root - what was parsed: the value found is looked up in it */
export function describeIssue(issue: z.core.$ZodIssue, root: unknown): string {
  if (issue.code !== 'invalid_type') return issue.message;
  const found = issue.path.reduce<unknown>((value, key) => (
    typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined), root);
  if (found === undefined) return 'is missing';
  return `expected ${expectedNames[issue.expected] ?? issue.expected}, found ${describe(found)}`;
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value);
  return typeof value === 'number' || typeof value === 'boolean' ? `the ${typeof value} ${value}` : 'a mapping';
}
