/** The `Retry-After` header: whole seconds, or one of HTTP's three date formats (RFC 9110 sections 10.2.3 and 5.6.7). */

const httpDate = /^(\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT|\w{6,9}, \d{2}-\w{3}-\d{2} \d{2}:\d{2}:\d{2} GMT|\w{3} \w{3} [ \d]\d \d{2}:\d{2}:\d{2} \d{4})$/;

/**
 * @param text - as received
 * @returns milliseconds from now, at least 0; `undefined` when absent or unreadable
 */
export function parseRetryAfter(text: string | undefined, nowMs: number): number | undefined {
  const value = text?.trim() ?? '';
  if (/^\d{1,12}$/.test(value)) return Number(value) * 1_000;
  if (!httpDate.test(value)) return undefined;
  const atMs = Date.parse(value.endsWith('GMT') ? value : `${value} GMT`);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
