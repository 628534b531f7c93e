import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type Database, openEmbedded, openPostgres, readAccountMonth } from './database.ts';
import { CustomerNotFound, DatabaseUnavailable, NoTransactions } from './errors.ts';
import { sampleCustomers, sampleTransactions } from './sample-data.ts';

// Starting PostgreSQL is the slow part: one is enough for all who leave the sample customers alone.
let database: Database;
before(async () => { database = await openEmbedded(); });
after(() => database.close());

test('a month is its entries in booking order, and opens with the sum of all before it', async () => {
  const ofCustomer = sampleTransactions().filter(({ customer }) => customer === 5);
  const { customer, month, openingCents, entries } = await readAccountMonth(database, { customer: 5, month: '2026-09' });
  assert.deepEqual(customer, sampleCustomers[4]);
  assert.equal(month, '2026-09');
  assert.deepEqual(entries, ofCustomer.filter(({ date }) => date.startsWith('2026-09')).map(({ date, text, amountCents }) => ({ date, text, amountCents })));
  assert.equal(openingCents, ofCustomer.filter(({ date }) => date < '2026-09').reduce((sum, { amountCents }) => sum + amountCents, 0));
});

test('entries booked late are where their date puts them, those of one day in the order they were booked', async () => {
  await database.query("INSERT INTO customers VALUES (98, 'Late', 'Somewhere', 'Else', '4021 9898 9898')", []);
  await database.query(`INSERT INTO transactions (customer_id, booked_on, text, amount_cents)
    VALUES (98, '2026-10-20', 'second', -1), (98, '2026-10-20', 'third', -2), (98, '2026-10-03', 'first', 10), (98, '2026-09-30', 'before', 5)`, []);
  // Its order would hide that the query names none.
  await database.query('DROP INDEX transactions_of_customer', []);
  const { openingCents, entries } = await readAccountMonth(database, { customer: 98 });
  assert.equal(openingCents, 5);
  assert.deepEqual(entries.map(({ text }) => text), ['first', 'second', 'third']);
});

test('without a month it is the latest one with transactions', async () => {
  assert.equal((await readAccountMonth(database, { customer: 7 })).month, '2026-10');
});

test('a month without transactions is empty, its balance the one before', async () => {
  const { openingCents, entries } = await readAccountMonth(database, { customer: 7, month: '2031-01' });
  assert.deepEqual(entries, []);
  assert.ok(openingCents > 0);
});

test('an unknown customer is not found', async () => {
  await assert.rejects(readAccountMonth(database, { customer: 21 }), CustomerNotFound);
  await assert.rejects(readAccountMonth(database, { customer: 21, month: '2026-10' }), CustomerNotFound);
});

test('sample data kept in a folder is not sown twice, and a customer without transactions must name a month', async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'statement-'));
  try {
    const first = await openEmbedded(dir);
    await first.query("INSERT INTO customers VALUES (99, 'New', 'Here', 'Since today', '4021 9999 9999')", []);
    await first.close();
    const again = await openEmbedded(dir);
    const { rows } = await again.query<{ count: number }>('SELECT count(*)::integer AS count FROM customers', []);
    assert.equal(rows[0]?.count, sampleCustomers.length + 1);
    await assert.rejects(readAccountMonth(again, { customer: 99 }), NoTransactions);
    assert.equal((await readAccountMonth(again, { customer: 99, month: '2026-10' })).openingCents, 0);
    await again.close();
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('a server that hangs up is a database that is unavailable, not a crash', async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const away = await openPostgres(`postgres://user:password@127.0.0.1:${address.port}/bank`);
  await assert.rejects(readAccountMonth(away, { customer: 7 }), DatabaseUnavailable);
  await away.close();
  await new Promise((resolve) => server.close(resolve));
});
