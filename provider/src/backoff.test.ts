import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { backoffMs } from './backoff.js';

test('the wait doubles from 100 ms, half of it by chance', () => {
  assert.deepEqual([1, 2, 3].map((failures) => backoffMs(failures, 5_000, () => 1)), [100, 200, 400]);
  assert.deepEqual([1, 2, 3].map((failures) => backoffMs(failures, 5_000, () => 0)), [50, 100, 200]);
});

test('every wait lies between 50 ms and the longest, and grows with the failures', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 1e9 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
    const ms = backoffMs(failures, 10_000, () => random);
    assert.ok(ms >= 50 && ms <= 10_000);
    assert.ok(backoffMs(failures + 1, 10_000, () => random) >= ms);
  }));
});
