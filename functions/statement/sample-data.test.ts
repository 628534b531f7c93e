import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { sampleCustomers, sampleMonths, sampleTransactions } from './sample-data.ts';
import { daysIn } from './statement.ts';

test('the sample data is the same on every machine and at every start', () => {
  const digest = createHash('sha256').update(JSON.stringify([sampleCustomers, sampleTransactions()])).digest('hex');
  assert.equal(digest, '7e228d0f011b0fd52d270b048b24f82667e476e3a3c3437bfb4cd16aa4508068', 'changed on purpose? Then put the new digest here');
});

test('every transaction belongs to a customer and a real day, is whole cents, and none leaves an account overdrawn', () => {
  const balances = new Map(sampleCustomers.map(({ id }) => [id, 0]));
  for (const { customer, date, amountCents } of sampleTransactions()) {
    const before = balances.get(customer);
    assert.ok(before !== undefined);
    assert.ok(Number.isSafeInteger(amountCents) && amountCents !== 0);
    assert.ok(Number(date.slice(8)) <= daysIn(date.slice(0, 7)));
    balances.set(customer, before + amountCents);
    assert.ok(before + amountCents > 0, `customer ${customer} is overdrawn on ${date}`);
  }
});

test('every customer has transactions in every month, the shops enough for several pages', () => {
  const counts = new Map<string, number>();
  for (const { customer, date } of sampleTransactions()) {
    const key = `${customer} ${date.slice(0, 7)}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  for (const { id } of sampleCustomers) {
    for (const month of sampleMonths) {
      const count = counts.get(`${id} ${month}`) ?? 0;
      assert.ok(count >= (id % 5 === 0 ? 80 : 10), `customer ${id} has ${count} in ${month}`);
    }
  }
});
