/** What the whole statement shares: colours, and how amounts, dates and names are written. */

export const colour = {
  brand: '#14365d', accent: '#b98a3c', text: '#1d2733', muted: '#6b7785', rule: '#d5dbe2', tint: '#f3f6f9', credit: '#1c6b45',
} as const;

const exact = new Intl.NumberFormat('en-GB', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const whole = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });

/** @returns `1,234.50`, `-20.00` */
export function euros(cents: number): string {
  return exact.format(cents / 100);
}

/** @returns `1,235` */
export function wholeEuros(cents: number): string {
  return whole.format(cents / 100);
}

/**
 * @param date - `YYYY-MM-DD`
 * @returns `9 October 2026`
 */
export function longDate(date: string): string {
  return formatted(date, { day: 'numeric', month: 'long', year: 'numeric' });
}

/** @returns `09 Oct` */
export function shortDate(date: string): string {
  return formatted(date, { day: '2-digit', month: 'short' });
}

/** @returns `October 2026` */
export function monthName(month: string): string {
  return formatted(`${month}-01`, { month: 'long', year: 'numeric' });
}

function formatted(date: string, options: Intl.DateTimeFormatOptions): string {
  return new Date(`${date}T00:00:00Z`).toLocaleDateString('en-GB', { ...options, timeZone: 'UTC' });
}

/**
 * The PDF's built-in fonts have Western European letters alone; any other prints as `?` instead of as some wrong letter.
 * A bank with customers of all the world embeds a font of its own (`doc.font('file.ttf')`).
 */
export function printable(text: string): string {
  return text.normalize('NFC').replace(/[^\x20-\x7e\xa0-\xff€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]/gu, '?');
}
