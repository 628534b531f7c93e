/**
 * What a statement says: pure arithmetic on whole cents, so that nothing is ever rounded.
 * Not here: where the entries come from (database.ts), how it looks (render-statement.ts).
 */

export interface Customer {
  readonly id: number;
  readonly name: string;
  readonly street: string;
  readonly city: string;
  readonly account: string;
}

export interface Entry {
  /** `YYYY-MM-DD`. */
  readonly date: string;
  readonly text: string;
  /** Negative: money out. */
  readonly amountCents: number;
}

/** One customer's month, as the database knows it. */
export interface AccountMonth {
  readonly customer: Customer;
  /** `YYYY-MM`. */
  readonly month: string;
  /** Before the month's first entry. */
  readonly openingCents: number;
  /** In the order they were booked. */
  readonly entries: readonly Entry[];
}

export interface Line extends Entry {
  /** After this entry. */
  readonly balanceCents: number;
}

export interface Statement {
  readonly customer: Customer;
  readonly month: string;
  readonly openingCents: number;
  readonly inCents: number;
  /** 0 or negative. */
  readonly outCents: number;
  readonly closingCents: number;
  readonly lines: readonly Line[];
}

export function buildStatement({ customer, month, openingCents, entries }: AccountMonth): Statement {
  const lines: Line[] = [];
  let balanceCents = openingCents;
  let inCents = 0;
  let outCents = 0;
  for (const entry of entries) {
    balanceCents += entry.amountCents;
    if (entry.amountCents > 0) inCents += entry.amountCents;
    else outCents += entry.amountCents;
    lines.push({ ...entry, balanceCents });
  }
  return { customer, month, openingCents, inCents, outCents, closingCents: balanceCents, lines };
}

/** The balance at the end of each day of the month, the first day first. */
export function dailyBalances({ month, openingCents, lines }: Statement): number[] {
  const days = Array.from({ length: daysIn(month) }, () => openingCents);
  for (const { date, balanceCents } of lines) days.fill(balanceCents, Number(date.slice(8)) - 1);
  return days;
}

/** @param month - `YYYY-MM` */
export function daysIn(month: string): number {
  return new Date(Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5)), 0)).getUTCDate();
}

/** Every page opens and closes with a balance, so that each can be checked by itself. */
export interface Page {
  readonly openingCents: number;
  readonly lines: readonly Line[];
  readonly closingCents: number;
}

/**
 * @param firstPage - lines that fit on the first page, below the letterhead
 * @param laterPages - lines that fit on each of the others
 * @returns at least one page; a month without entries has a statement, too
 */
export function paginate(statement: Statement, firstPage: number, laterPages: number): Page[] {
  const pages: Page[] = [];
  let openingCents = statement.openingCents;
  let taken = 0;
  do {
    const lines = statement.lines.slice(taken, taken + (pages.length === 0 ? firstPage : laterPages));
    const closingCents = lines.at(-1)?.balanceCents ?? openingCents;
    pages.push({ openingCents, lines, closingCents });
    openingCents = closingCents;
    taken += lines.length;
  } while (taken < statement.lines.length);
  return pages;
}
