/** What a caller may ask for: `{"customer": 7, "month": "2026-10"}`. Nothing else comes past this file. */
import { BadRequest } from './errors.ts';

export interface StatementRequest {
  readonly customer: number;
  /** `YYYY-MM`; absent: the customer's latest month with transactions. */
  readonly month?: string;
}

/** PostgreSQL's integer: a larger number would fail in the query, and look like a database that is down. */
const largestId = 2_147_483_647;

/** @throws {BadRequest} naming the field and what was expected */
export function parseStatementRequest(body: string): StatementRequest {
  const { customer, month, ...unknown } = parseObject(body);
  const [extra] = Object.keys(unknown);
  // A misspelt "month" must not quietly become a statement of some other month.
  if (extra !== undefined) throw new BadRequest(`unknown field "${extra}": expected customer and month`);
  if (typeof customer !== 'number' || !Number.isInteger(customer) || customer < 1 || customer > largestId) {
    throw new BadRequest(`customer: expected a whole number from 1 to ${largestId}`);
  }
  if (month === undefined) return { customer };
  if (typeof month !== 'string' || !/^(19|20)\d\d-(0[1-9]|1[0-2])$/.test(month)) {
    throw new BadRequest('month: expected a month such as "2026-10"');
  }
  return { customer, month };
}

function parseObject(body: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    value = undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadRequest('body: expected a JSON object such as {"customer": 7, "month": "2026-10"}');
  }
  return { ...value };
}
