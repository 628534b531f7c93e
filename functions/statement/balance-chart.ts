/** The small chart on page one: the balance at the end of each day, as steps, because money moves in steps. */
import { colour, wholeEuros } from './style.ts';

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** @param balances - cents at the end of each day, the first day first; at least one */
export function drawBalanceChart(doc: PDFKit.PDFDocument, box: Box, balances: readonly number[]): void {
  const ticks = axisTicks(Math.min(...balances), Math.max(...balances));
  const lowest = ticks[0] ?? 0;
  const highest = ticks.at(-1) ?? 1;
  const plot = { left: box.x + 52, right: box.x + box.width, top: box.y + 4, bottom: box.y + box.height - 14 };
  const dayWidth = (plot.right - plot.left) / balances.length;
  const x = (day: number): number => plot.left + day * dayWidth;
  const y = (cents: number): number => plot.bottom - ((cents - lowest) / (highest - lowest)) * (plot.bottom - plot.top);

  doc.font('Helvetica').fontSize(7).lineWidth(0.5);
  for (const tick of ticks) {
    doc.moveTo(plot.left, y(tick)).lineTo(plot.right, y(tick)).stroke(tick === 0 ? colour.muted : colour.rule);
    doc.fillColor(colour.muted).text(wholeEuros(tick), box.x, y(tick) - 3, { width: 44, align: 'right', lineBreak: false });
  }
  for (let day = 0; day < balances.length; day += 7) {
    doc.fillColor(colour.muted).text(String(day + 1), x(day), plot.bottom + 5, { width: dayWidth, align: 'center', lineBreak: false });
  }

  const steps = (): void => {
    balances.forEach((cents, day) => {
      if (day === 0) doc.moveTo(x(0), y(cents));
      else doc.lineTo(x(day), y(cents));
      doc.lineTo(x(day + 1), y(cents));
    });
  };
  steps();
  const floor = y(Math.max(lowest, Math.min(0, highest)));
  doc.lineTo(plot.right, floor).lineTo(plot.left, floor).closePath().fillOpacity(0.1).fill(colour.brand).fillOpacity(1);
  steps();
  doc.lineWidth(1.2).lineJoin('round').stroke(colour.brand);
}

/**
 * Round amounts (1, 2 or 5 times a power of ten, whole euros) from at or below `least` to at or above `most`.
 * @returns cents, at least two of them, ascending
 */
export function axisTicks(least: number, most: number): number[] {
  const rough = Math.max((most - least) / 3, 100);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.floor(least / step);
  const last = Math.max(Math.ceil(most / step), first + 1);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}
