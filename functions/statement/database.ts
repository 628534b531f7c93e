/**
 * The bank's records in PostgreSQL: the server `DATABASE_URL` names, or, without one, PGlite (PostgreSQL itself,
 * compiled to WebAssembly) with sample data. The query is the same for both.
 * Each driver is imported only when it is the one in use: the function is ready before it has loaded either.
 */
import { CustomerNotFound, DatabaseUnavailable, NoTransactions } from './errors.ts';
import type { StatementRequest } from './request.ts';
import { sampleCustomers, sampleTransactions } from './sample-data.ts';
import type { AccountMonth } from './statement.ts';

export interface Database {
  query<Row extends object>(sql: string, values: unknown[]): Promise<{ rows: Row[] }>;
  close(): Promise<void>;
}

/** What `DATABASE_URL` must hold. */
const schema = `
  CREATE TABLE IF NOT EXISTS customers (
    id integer PRIMARY KEY, name text NOT NULL, street text NOT NULL, city text NOT NULL, account text NOT NULL);
  CREATE TABLE IF NOT EXISTS transactions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id integer NOT NULL REFERENCES customers,
    booked_on date NOT NULL, text text NOT NULL, amount_cents bigint NOT NULL);
  CREATE INDEX IF NOT EXISTS transactions_of_customer ON transactions (customer_id, booked_on, id);`;

/** @param url - `postgres://user:password@host/database` */
export async function openPostgres(url: string): Promise<Database> {
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({ connectionString: url, max: 4, connectionTimeoutMillis: 3_000, query_timeout: 10_000 });
  // An idle connection that breaks is replaced at the next query; unheard, its error would end the process.
  pool.on('error', (error) => console.error(`a database connection broke: ${error.message}`));
  return {
    query: (sql, values) => pool.query(sql, values),
    close: () => pool.end(),
  };
}

/** @param dir - where the data is kept, for one replica alone; absent: in memory, made anew at each start */
export async function openEmbedded(dir?: string): Promise<Database> {
  const { PGlite } = await import('@electric-sql/pglite');
  const database = await PGlite.create(dir);
  await database.transaction(async (tx) => {
    await tx.exec(schema);
    const { rows } = await tx.query('SELECT 1 FROM customers LIMIT 1');
    if (rows.length > 0) return;
    await tx.query('INSERT INTO customers SELECT * FROM json_populate_recordset(null::customers, $1::text::json)',
      [JSON.stringify(sampleCustomers)]);
    await tx.query(`INSERT INTO transactions (customer_id, booked_on, text, amount_cents)
      SELECT customer, date, text, "amountCents"
      FROM json_to_recordset($1::text::json) AS t(customer integer, date date, text text, "amountCents" bigint)`,
      [JSON.stringify(sampleTransactions())]);
  });
  return {
    query: (sql, values) => database.query(sql, values),
    close: () => database.close(),
  };
}

/**
 * One query, so that balance and entries are of one moment even while new ones are booked. JSON, because both drivers
 * read it alike, while a `date` would become a Date in this machine's time zone and a `bigint` a string in one of them.
 */
const accountMonth = `
  WITH period AS (
    SELECT coalesce($2::date, date_trunc('month', max(booked_on))::date) AS first_day FROM transactions WHERE customer_id = $1)
  SELECT json_build_object('id', c.id, 'name', c.name, 'street', c.street, 'city', c.city, 'account', c.account) AS customer,
    to_char(first_day, 'YYYY-MM') AS month,
    (SELECT json_build_array(coalesce(sum(amount_cents), 0)) FROM transactions
      WHERE customer_id = c.id AND booked_on < first_day) AS opening,
    (SELECT coalesce(json_agg(json_build_object('date', booked_on, 'text', text, 'amountCents', amount_cents)
        ORDER BY booked_on, id), '[]') FROM transactions
      WHERE customer_id = c.id AND booked_on >= first_day AND booked_on < first_day + interval '1 month') AS entries
  FROM customers c CROSS JOIN period WHERE c.id = $1`;

interface AccountMonthRow extends Pick<AccountMonth, 'customer' | 'entries'> {
  readonly month: string | null;
  readonly opening: readonly [number];
}

/**
 * @throws {CustomerNotFound}
 * @throws {NoTransactions} no month was asked for, and the customer has none to choose
 * @throws {DatabaseUnavailable} whatever the database said instead of answering is its cause
 */
export async function readAccountMonth(database: Database, { customer: id, month }: StatementRequest): Promise<AccountMonth> {
  const { rows: [row] } = await database
    .query<AccountMonthRow>(accountMonth, [id, month === undefined ? null : `${month}-01`])
    .catch((cause: unknown) => {
      throw new DatabaseUnavailable('the database does not answer; try again later', { cause });
    });
  if (row === undefined) throw new CustomerNotFound(`there is no customer ${id}`);
  const { customer, opening: [openingCents], entries } = row;
  if (row.month === null) throw new NoTransactions(`customer ${id} has no transactions yet: name a month`);
  return { customer, month: row.month, openingCents, entries };
}
