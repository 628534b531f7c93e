import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Receivers } from './receivers.js';

const limits = { maxInFlightPerHost: 2, failuresToPause: 3, minPauseMs: 1_000, maxPauseMs: 60_000 };

function receivers() {
  const clock = { nowMs: 0 };
  return { clock, all: new Receivers(limits, { now: () => clock.nowMs, random: () => 0 }) };
}

test('over the limit of one host its deliveries are held back, another host\'s are not', () => {
  const { all } = receivers();
  assert.deepEqual([all.enter('a').kind, all.enter('a').kind, all.enter('a').kind, all.enter('b').kind], ['go', 'go', 'hold', 'go']);
  all.left('a', true);
  assert.equal(all.enter('a').kind, 'go');
});

test('after failures in a row a host is paused, then one delivery at a time finds out', () => {
  const { all, clock } = receivers();
  for (let i = 0; i < 3; i++) {
    assert.equal(all.enter('a').kind, 'go');
    all.left('a', false);
  }
  assert.deepEqual(all.enter('a'), { kind: 'hold', delayMs: 1_000 });
  clock.nowMs = 1_000;
  assert.deepEqual([all.enter('a').kind, all.enter('a').kind], ['go', 'hold']);
  all.left('a', false);
  assert.deepEqual(all.enter('a'), { kind: 'hold', delayMs: 2_000 }, 'the next pause is twice as long');
  clock.nowMs = 3_000;
  all.enter('a');
  all.left('a', true);
  assert.deepEqual([all.enter('a').kind, all.enter('a').kind], ['go', 'go'], 'a success ends it');
});

test('deliveries under way when the pause begins do not make it longer, and no pause exceeds its limit', () => {
  const { all, clock } = receivers();
  for (let i = 0; i < 2; i++) { all.enter('a'); all.left('a', false); }
  all.enter('a');
  all.enter('a');
  all.left('a', false);
  all.left('a', false);
  assert.deepEqual(all.enter('a'), { kind: 'hold', delayMs: 1_000 });
  for (let i = 0; i < 50; i++) {
    clock.nowMs += 60_000;
    assert.equal(all.enter('a').kind, 'go');
    all.left('a', false);
  }
  assert.deepEqual(all.enter('a'), { kind: 'hold', delayMs: 60_000 });
});

test('a success between failures starts the count anew', () => {
  const { all } = receivers();
  for (const alive of [false, false, true, false, false]) { all.enter('a'); all.left('a', alive); }
  assert.equal(all.enter('a').kind, 'go');
});
