/** What a benchmark prints: pairs measured in turns within one run, and the median of their ratios. */

export interface Pair {
  readonly ours: number;
  readonly bare: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** One line a figure: the median ratio, how far the rounds lay apart, and what was aimed at. */
export function reportRatio(figure: string, unit: string, pairs: readonly Pair[], reach: number): void {
  const ratios = pairs.map(({ ours, bare }) => ours / bare);
  const spread = `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`;
  console.log(`${figure}: ${median(ratios).toFixed(2)} of bare (rounds ${spread}; reach ${reach}); `
    + `${Math.round(median(pairs.map(({ ours }) => ours)))} against ${Math.round(median(pairs.map(({ bare }) => bare)))} ${unit}`);
}
