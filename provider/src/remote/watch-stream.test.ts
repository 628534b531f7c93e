import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { reconnectWaitMs } from './watch-stream.js';

test('the wait before a reconnect doubles from 100 ms to 5 s, half of it by chance', () => {
  assert.deepEqual([1, 2, 3].map((failures) => reconnectWaitMs(failures, () => 1)), [100, 200, 400]);
  assert.deepEqual([1, 2, 3].map((failures) => reconnectWaitMs(failures, () => 0)), [50, 100, 200]);
  fc.assert(fc.property(fc.integer({ min: 1, max: 1e9 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
    const waitMs = reconnectWaitMs(failures, () => random);
    assert.ok(waitMs >= 50 && waitMs <= 5_000);
  }));
});
