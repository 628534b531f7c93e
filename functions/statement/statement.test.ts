import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildStatement, dailyBalances, daysIn, paginate } from './statement.ts';
import type { Statement } from './statement.ts';

const customer = { id: 7, name: 'Elif Yaman', street: '1 Mill Lane', city: '1012 Northgate', account: '4021 0000 0000' };

const entry = fc.record({
  date: fc.integer({ min: 1, max: 31 }).map((day) => `2026-10-${String(day).padStart(2, '0')}`),
  text: fc.string(),
  amountCents: fc.integer({ min: -1e9, max: 1e9 }),
});
const statements: fc.Arbitrary<Statement> = fc
  .record({ openingCents: fc.integer({ min: -1e9, max: 1e9 }), entries: fc.array(entry, { maxLength: 200 }) })
  .map(({ openingCents, entries }) => buildStatement({
    customer, month: '2026-10', openingCents, entries: entries.sort((a, b) => Number(a.date > b.date) - Number(a.date < b.date)),
  }));

test('every balance is the one before it plus the amount, from the opening to the closing balance', () => {
  fc.assert(fc.property(statements, ({ openingCents, closingCents, lines }) => {
    let before = openingCents;
    for (const { amountCents, balanceCents } of lines) {
      assert.equal(balanceCents, before + amountCents);
      before = balanceCents;
    }
    assert.equal(closingCents, before);
  }));
});

test('money in and money out explain the difference between the balances', () => {
  fc.assert(fc.property(statements, ({ openingCents, inCents, outCents, closingCents }) => {
    assert.equal(openingCents + inCents + outCents, closingCents);
    assert.ok(inCents >= 0 && outCents <= 0);
  }));
});

test('the last balance of each day is that of its last entry, or of the day before', () => {
  const statement = buildStatement({ customer, month: '2026-02', openingCents: 100, entries: [
    { date: '2026-02-02', text: 'a', amountCents: 10 }, { date: '2026-02-02', text: 'b', amountCents: 5 },
    { date: '2026-02-28', text: 'c', amountCents: -15 },
  ] });
  assert.deepEqual(dailyBalances(statement), [100, ...Array.from({ length: 26 }, () => 115), 100]);
});

for (const [month, days] of [['2026-02', 28], ['2028-02', 29], ['2026-12', 31], ['2026-04', 30]] as const) {
  test(`${month} has ${days} days`, () => assert.equal(daysIn(month), days));
}

test('pages hold every line once, in order, none over its limit, and each opens with the balance the one before closed with', () => {
  fc.assert(fc.property(statements, fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), (statement, first, later) => {
    const pages = paginate(statement, first, later);
    assert.deepEqual(pages.flatMap(({ lines }) => lines), statement.lines);
    let before = statement.openingCents;
    pages.forEach(({ openingCents, lines, closingCents }, index) => {
      assert.ok(lines.length <= (index === 0 ? first : later));
      assert.equal(openingCents, before);
      before = closingCents;
    });
    assert.equal(before, statement.closingCents);
    assert.ok(pages.length === 1 || pages.every(({ lines }) => lines.length > 0), 'no empty page');
  }));
});
