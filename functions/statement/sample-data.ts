/**
 * Invented customers and transactions for the embedded database: the same on every machine, at every start, so that
 * a statement of today equals one of tomorrow. Customers 5, 10, 15 and 20 keep a shop: their statements have several pages.
 */
import { daysIn } from './statement.ts';
import type { Customer, Entry } from './statement.ts';

export const sampleMonths = ['2026-05', '2026-06', '2026-07', '2026-08', '2026-09', '2026-10'] as const;

export interface SampleTransaction extends Entry {
  readonly customer: number;
}

const names = [
  'Ada Brandt', 'Noah Okafor', 'Maria Lindqvist', 'Jonas Weber', 'Bäckerei Sommer', 'Clara Duarte', 'Elif Yaman', 'Henri Moreau',
  'Ines Castillo', 'Corner Bicycles Ltd', 'Lars Nygård', 'Priya Raman', 'Tomás Herrera', 'Greta Vogel', 'Café Mirabelle', 'Samuel Adeyemi',
  'Olga Petrova', 'Daniel Kim', 'Sofia Ricci', 'Harbour Flowers Ltd',
];
const streets = ['Mill Lane', 'Station Road', 'Orchard Street', 'Bridge Street', 'Market Square', 'Harbour Walk', 'Linden Avenue'];
const cities = ['1012 Northgate', '2040 Eastbridge', '3310 Westhaven', '4125 Southfield'];

export const sampleCustomers: readonly Customer[] = names.map((name, index) => ({
  id: index + 1,
  name,
  street: `${7 + index * 3} ${pick(streets, index)}`,
  city: pick(cities, index),
  account: `4021 ${String(3_300 + index * 217).padStart(4, '0')} ${String(1_005 + index * 389).padStart(4, '0')}`,
}));

/** Booked on the same day each month: day, text, euros out. */
const standing: readonly (readonly [number, string, number])[] = [
  [1, 'Standing order · Rent', 870], [3, 'Direct debit · Northgate Energy', 94], [5, 'Direct debit · Lighthouse Mobile', 24.9],
  [12, 'Direct debit · Public transport season ticket', 49], [15, 'Direct debit · Household insurance', 18.4],
];
/** Whenever it happens: text, euros at least, euros at most. */
const spending: readonly (readonly [string, number, number])[] = [
  ['Card payment · Greengrocer Abel', 6, 48], ['Card payment · City Market', 14, 96], ['Card payment · Paper & Ink Bookshop', 8, 42],
  ['Card payment · Old Town Pharmacy', 4, 31], ['Card payment · Trattoria Due Ponti', 18, 74], ['Cash withdrawal · Station Road 1', 20, 120],
  ['Card payment · Railway tickets', 9, 88], ['Card payment · Hardware Nowak', 5, 140], ['Card payment · Cinema Royal', 11, 36],
];
const shopSpending: readonly (readonly [string, number, number])[] = [
  ['Transfer · Riverside Wholesale, invoice', 80, 320], ['Transfer · Packaging Winter, invoice', 20, 90],
  ['Direct debit · Delivery van lease', 30, 60], ['Card payment · Fuel', 25, 80],
];

/** Every customer's entries of every sample month, each month in booking order. */
export function sampleTransactions(): SampleTransaction[] {
  return sampleCustomers.flatMap(({ id }) => {
    const random = randomNumbers(id);
    const opened: SampleTransaction = { customer: id, date: '2026-04-30', text: 'Balance carried over', amountCents: 280_000 + Math.floor(random() * 400_000) };
    return [opened, ...sampleMonths.flatMap((month) => (id % 5 === 0 ? shopMonth(id, month, random) : privateMonth(id, month, random)))];
  });
}

function privateMonth(customer: number, month: string, random: () => number): SampleTransaction[] {
  const fixed = standing.map(([day, text, euros]) => entry(customer, month, day, text, -euros));
  const salary = entry(customer, month, 28, 'Transfer received · Salary', 1_900 + customer * 35);
  const chance = Array.from({ length: 6 + Math.floor(random() * 14) }, () => spend(customer, month, spending, random));
  return inOrder([...fixed, salary, ...chance]);
}

function shopMonth(customer: number, month: string, random: () => number): SampleTransaction[] {
  const takings = Array.from({ length: daysIn(month) }, (_, index) =>
    entry(customer, month, index + 1, 'Card terminal settlement', 140 + random() * 460));
  const costs = Array.from({ length: 55 + Math.floor(random() * 25) }, () => spend(customer, month, shopSpending, random));
  return inOrder([entry(customer, month, 1, 'Standing order · Shop rent', -1_450), ...takings, ...costs]);
}

function spend(customer: number, month: string, choices: typeof spending, random: () => number): SampleTransaction {
  const [text, least, most] = pick(choices, Math.floor(random() * choices.length));
  const day = 1 + Math.floor(random() * daysIn(month));
  return entry(customer, month, day, text, -(least + random() * (most - least)));
}

function entry(customer: number, month: string, day: number, text: string, euros: number): SampleTransaction {
  return { customer, date: `${month}-${String(day).padStart(2, '0')}`, text, amountCents: Math.round(euros * 100) };
}

/** Array.sort is stable: entries of one day keep their order. */
function inOrder(entries: SampleTransaction[]): SampleTransaction[] {
  return entries.sort((a, b) => (a.date < b.date ? -1 : Number(a.date > b.date)));
}

function pick<T>(choices: readonly [T, ...T[]] | readonly T[], index: number): T {
  const choice = choices[index % choices.length];
  if (choice === undefined) throw new RangeError('nothing to pick from');
  return choice;
}

/**
 * Numbers in 0..1 that depend on the seed alone.
 * @see mulberry32 by Tommy Ettinger (public domain): 32 bits of state, plenty for sample data
 */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
