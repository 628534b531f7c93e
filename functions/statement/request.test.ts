import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BadRequest } from './errors.ts';
import { parseStatementRequest } from './request.ts';

test('a customer is enough, a month may be named', () => {
  assert.deepEqual(parseStatementRequest('{"customer": 7}'), { customer: 7 });
  assert.deepEqual(parseStatementRequest('{"customer": 7, "month": "2026-10"}'), { customer: 7, month: '2026-10' });
});

for (const [body, message] of [
  ['', /^body: expected a JSON object/], ['[7]', /^body: /], ['null', /^body: /], ['{"customer": 7', /^body: /],
  ['{}', /^customer: /], ['{"customer": "7"}', /^customer: /], ['{"customer": 0}', /^customer: /], ['{"customer": 1.5}', /^customer: /],
  ['{"customer": 2147483648}', /^customer: .*2147483647/],
  ['{"customer": 7, "month": "2026-13"}', /^month: /], ['{"customer": 7, "month": "0000-01"}', /^month: /],
  ['{"customer": 7, "month": 202610}', /^month: /], ['{"customer": 7, "month": null}', /^month: /],
  ['{"customer": 7, "moth": "2026-10"}', /^unknown field "moth"/],
] as const) {
  test(`${body || 'an empty body'} is refused by what is wrong with it`, () => {
    assert.throws(() => parseStatementRequest(body), (error) => error instanceof BadRequest && message.test(error.message));
  });
}

test('whatever the body, it is understood or refused, never a failure of another kind', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (body) => {
    try {
      parseStatementRequest(body);
    } catch (error) {
      assert.ok(error instanceof BadRequest, String(error));
    }
  }));
});
