import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nextCallbackTry } from './callback-schedule.js';

const schedule = { minWaitMs: 1_000, maxWaitMs: 300_000, giveUpAfterMs: 86_400_000 };
const at = (nowMs: number, chance = 0.5) => ({ now: () => nowMs, random: () => chance });

for (const [ageMs, delayMs] of [[0, 500], [900, 500], [4_000, 2_000], [60_000, 30_000], [3_600_000, 150_000]] as const) {
  test(`${ageMs} ms after its call ended the next wait is ${delayMs} ms at half the jitter`, () => {
    assert.deepEqual(nextCallbackTry(1_000_000, schedule, undefined, at(1_000_000 + ageMs)), { kind: 'retry', delayMs });
  });
}

test('Retry-After is heeded beyond the longest wait, but not beyond the time left', () => {
  assert.deepEqual(nextCallbackTry(0, schedule, '3600', at(1_000)), { kind: 'retry', delayMs: 3_600_000 });
  assert.deepEqual(nextCallbackTry(0, schedule, '7200', at(86_000_000)), { kind: 'retry', delayMs: 400_000 });
});

test('after the time is up there is no next try', () => {
  assert.deepEqual(nextCallbackTry(0, schedule, '1', at(86_400_000)), { kind: 'give-up' });
});

test('a receiver that always fails is tried again within bounds, and in the end no more', () => {
  fc.assert(fc.property(fc.double({ min: 0.01, max: 1, noNaN: true }), (chance) => {
    let tries = 0;
    for (let nowMs = 0; ; tries++) {
      const next = nextCallbackTry(0, schedule, undefined, at(nowMs, chance));
      if (next.kind === 'give-up') break;
      assert.ok(next.delayMs >= 1 && next.delayMs <= 300_000);
      nowMs += next.delayMs;
    }
    assert.ok(tries >= 250, 'at least every five minutes for a day');
  }), { numRuns: 50 });
});
