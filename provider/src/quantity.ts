/**
 * Amounts of memory and CPU as Kubernetes writes them: `64Mi`, `1.5G`, `250m`.
 * Not here: holding anybody to them (process/memory-limit.ts).
 */

const memoryUnits: Readonly<Record<string, number>> = {
  '': 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9, T: 1e12, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40,
};

/** @returns bytes, more than 0; `undefined` when the text is no amount of memory */
export function parseMemory(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([kKMGT]i?|)$/.exec(text);
  const unit = memoryUnits[match?.[2] ?? ''];
  if (!match || unit === undefined) return undefined;
  const bytes = Math.floor(Number(match[1]) * unit);
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** @returns cores, more than 0; `undefined` when the text is no amount of CPU */
export function parseCpu(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(m?)$/.exec(text);
  if (!match) return undefined;
  const cores = Number(match[1]) / (match[2] === 'm' ? 1_000 : 1);
  return cores > 0 && Number.isFinite(cores) ? cores : undefined;
}
