/** How long to wait after a failure, for whatever is tried again here: a replica's start, the connection to a provider. */

const firstMs = 100;

/** @returns 100 ms doubled with each failure up to `maxMs`; the half of it is left to chance, so that many do not come back as one */
export function backoffMs(failures: number, maxMs: number, random = Math.random): number {
  const ceilingMs = Math.min(firstMs * 2 ** Math.min(Math.max(failures - 1, 0), 20), maxMs);
  return Math.round(ceilingMs * (0.5 + random() / 2));
}
