import assert from 'node:assert/strict';
import { test } from 'node:test';
import { euros, longDate, monthName, printable, shortDate } from './style.ts';

test('amounts have a sign, thousands and cents', () => {
  assert.deepEqual([123_450, -2_000, 5, 0].map(euros), ['1,234.50', '-20.00', '0.05', '0.00']);
});

test('a date is the day it says, in every time zone', () => {
  assert.deepEqual([longDate('2026-10-09'), shortDate('2026-10-01'), monthName('2026-12')], ['9 October 2026', '01 Oct', 'December 2026']);
});

test('letters the built-in fonts have are kept, composed or not; one they lack is a question mark', () => {
  assert.equal(printable('Bäckerei Sommer'), 'Bäckerei Sommer');
  assert.equal(printable('Ba\u0308ckerei'), 'Bäckerei');
  assert.equal(printable('Šárka – 5 €'), 'Šárka – 5 €');
  assert.equal(printable('Łukasz 🙂\n'), '?ukasz ??');
});
