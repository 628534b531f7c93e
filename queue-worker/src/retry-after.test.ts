import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseRetryAfter } from './retry-after.js';

const nowMs = Date.parse('1994-11-06T08:49:30Z');

for (const [text, ms] of [
  ['0', 0], ['7', 7_000], [' 120 ', 120_000],
  ['Sun, 06 Nov 1994 08:49:37 GMT', 7_000], ['Sunday, 06-Nov-94 08:49:37 GMT', 7_000], ['Sun Nov  6 08:49:37 1994', 7_000],
  ['Sun, 06 Nov 1994 08:49:00 GMT', 0],
  [undefined, undefined], ['', undefined], ['soon', undefined], ['-1', undefined], ['1.5', undefined], ['1e3', undefined],
  ['tomorrow 5', undefined], ['Sun, 99 Nov 1994 08:49:37 GMT', undefined], ['2026-01-01T00:00:00Z', undefined],
] as const) {
  test(`Retry-After "${text}" means ${ms === undefined ? 'nothing' : `${ms} ms`}`, () => assert.equal(parseRetryAfter(text, nowMs), ms));
}

test('a date is read back to the second', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 4e9 }), (seconds) => {
    assert.equal(parseRetryAfter(new Date(seconds * 1_000).toUTCString(), 0), seconds * 1_000);
  }));
});

test('no text makes it throw or answer anything but a number of at least 0', () => {
  fc.assert(fc.property(fc.string(), (text) => {
    const ms = parseRetryAfter(text, nowMs);
    assert.ok(ms === undefined || ms >= 0);
  }));
});
