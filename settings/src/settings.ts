/**
 * Settings from environment variables, through one zod schema a program.
 * A wrong one stops the program with a line that names the variable, its value and what was expected.
 * Not here: the settings themselves (each part's settings.ts).
 */
import { z } from 'zod';
import { parseDuration } from './duration.js';

/** A setting is wrong. The message is one line, fit to be a program's last words. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly code = 'bad_setting';
}

/** A duration in milliseconds, written `30s`, `2m` or `30` (seconds). */
export const duration = (fallback: string) =>
  z.string().default(fallback).transform((text, ctx) => {
    const ms = parseDuration(text);
    if (ms !== undefined) return ms;
    ctx.addIssue({ code: 'custom', message: 'a duration such as 30s, 2m or 500ms' });
    return z.NEVER;
  });

/** `true`/`1` or `false`/`0`, as Go's programs read them. */
export const flag = (fallback: boolean) =>
  z.enum(['true', 'false', '1', '0'], { error: 'true or false' }).default(fallback ? 'true' : 'false')
    .transform((text) => text === 'true' || text === '1');

/** A whole number between two bounds, both included. */
export const integer = (fallback: number, min: number, max = Number.MAX_SAFE_INTEGER) => {
  const expected = `a whole number ${max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`}`;
  return z.string().regex(/^\d+$/, expected).default(String(fallback)).transform(Number)
    .refine((n) => n >= min && n <= max, expected);
};

/** A comma-separated list; blanks and empty parts are dropped. */
export const list = (fallback = '') =>
  z.string().default(fallback)
    .transform((text) => text.split(',').map((item) => item.trim()).filter((item) => item !== ''));

/** An absolute http or https URL, without a slash at its end. */
export const httpUrl = () =>
  z.url({ protocol: /^https?$/, error: 'an absolute http:// or https:// URL' }).transform((url) => url.replace(/\/+$/, ''));

/**
 * Reads what the schema names and nothing else. An empty variable counts as unset, as compose files leave them.
 * @throws {SettingsError} naming every wrong variable, one line
 */
export function readSettings<Schema extends z.ZodObject>(schema: Schema, env: NodeJS.ProcessEnv): z.output<Schema> {
  const given: Record<string, string> = {};
  for (const name of Object.keys(schema.shape)) {
    const value = env[name];
    if (value !== undefined && value !== '') given[name] = value;
  }
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map((issue) => {
    const name = String(issue.path[0] ?? '');
    const value = given[name];
    return value === undefined ? `${name} is not set: expected ${issue.message}` : `${name}=${value}: expected ${issue.message}`;
  });
  throw new SettingsError(wrong.join('; '));
}
