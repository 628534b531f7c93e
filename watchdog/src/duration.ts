/** Durations as OpenFaaS's settings and headers write them: Go's syntax (`1m30s`, `500ms`) or plain seconds (`30`). */

const millisecondsIn: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 3.6e6 };
const whole = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/;
const part = /(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g;

/** @returns milliseconds, at least 0; `undefined` when the text is no duration */
export function parseDuration(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  if (!whole.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(part)) totalMs += Number(amount) * (millisecondsIn[unit ?? ''] ?? Number.NaN);
  return totalMs;
}
