import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { restartDelayMs } from './backoff.js';

test('the wait before a restart lies between half and all of 100 ms, doubled each time up to 10 s', () => {
  assert.equal(restartDelayMs(1, 0), 50);
  assert.equal(restartDelayMs(2, 1), 200);
  fc.assert(fc.property(fc.integer({ min: 1, max: 1e9 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
    const ms = restartDelayMs(failures, random);
    assert.ok(ms >= 50 && ms <= 10_000);
  }));
});
