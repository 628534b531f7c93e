/** How long to wait before the child is started again. Pure arithmetic. */

const firstMs = 100;
const longestMs = 10_000;

/**
 * Doubles from 100 ms to 10 s; a random half of it, so that replicas that died of one cause do not come back as one.
 * @param failures - deaths in a row without a while of good health between them, at least 1
 * @param random - 0 up to 1
 */
export function restartDelayMs(failures: number, random: number): number {
  const ceilingMs = Math.min(firstMs * 2 ** Math.min(failures - 1, 30), longestMs);
  return ceilingMs / 2 + (random * ceilingMs) / 2;
}
