import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decideRetry } from './retry-policy.js';

const policy = { maxAttempts: 5, minWaitMs: 2_000, maxWaitMs: 30_000 };
const env = { now: () => Date.parse('2026-03-01T00:00:00Z'), random: () => 0.5 };

test('the last attempt is the last, whatever Retry-After says', () => {
  assert.deepEqual(decideRetry(5, policy, '1', env), { kind: 'give-up' });
  assert.deepEqual(decideRetry(6, policy, undefined, env), { kind: 'give-up' });
});

for (const [attempt, delayMs] of [[1, 1_000], [2, 2_000], [3, 4_000], [4, 8_000]] as const) {
  test(`after attempt ${attempt} the middle of the jitter is ${delayMs} ms`, () => {
    assert.deepEqual(decideRetry(attempt, policy, undefined, env), { kind: 'retry', delayMs });
  });
}

for (const [header, delayMs, why] of [
  ['9', 9_000, 'seconds are heeded'],
  ['0', 2_000, 'never sooner than min_wait'],
  ['Sun, 01 Mar 2026 00:00:11 GMT', 11_000, 'so is a date'],
  ['86400', 30_000, 'never later than max_wait'],
  ['later', 4_000, 'unreadable: the usual wait'],
] as const) {
  test(`Retry-After "${header}": ${why}`, () => {
    assert.deepEqual(decideRetry(3, policy, header, env), { kind: 'retry', delayMs });
  });
}

test('every wait is a whole number from 0 to max_wait, for any policy', () => {
  const waitMs = fc.constantFrom(0, 1, 1_000, 120_000, 1e12);
  fc.assert(fc.property(fc.integer({ min: 1, max: 99_999 }), waitMs, waitMs, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.option(fc.string(), { nil: undefined }),
    (attempt, minWaitMs, maxWaitMs, chance, header) => {
      const decision = decideRetry(attempt, { maxAttempts: 100_000, minWaitMs, maxWaitMs }, header, { now: Date.now, random: () => chance });
      assert.ok(decision.kind === 'retry' && Number.isInteger(decision.delayMs) && decision.delayMs >= 0 && decision.delayMs <= maxWaitMs);
    }));
});
