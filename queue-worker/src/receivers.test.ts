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
  all.left('a', true, 100);
  assert.equal(all.enter('a').kind, 'go');
});

test('after failures in a row a host is paused, then one delivery at a time finds out', () => {
  const { all, clock } = receivers();
  for (let i = 0; i < 3; i++) {
    assert.equal(all.enter('a').kind, 'go');
    all.left('a', false, 100);
  }
  assert.deepEqual(all.enter('a'), { kind: 'hold', delayMs: 1_000 });
  clock.nowMs = 1_000;
  assert.deepEqual([all.enter('a').kind, all.enter('a').kind], ['go', 'hold']);
  all.left('a', false, 100);
  assert.deepEqual(all.enter('a'), { kind: 'hold', delayMs: 2_000 }, 'the next pause is twice as long');
  clock.nowMs = 3_000;
  all.enter('a');
  all.left('a', true, 100);
  assert.deepEqual([all.enter('a').kind, all.enter('a').kind], ['go', 'go'], 'a success ends it');
});

test('deliveries under way when the pause begins do not make it longer, and no pause exceeds its limit', () => {
  const { all, clock } = receivers();
  for (let i = 0; i < 2; i++) { all.enter('a'); all.left('a', false, 100); }
  all.enter('a');
  all.enter('a');
  all.left('a', false, 100);
  all.left('a', false, 100);
  assert.deepEqual(all.enter('a'), { kind: 'hold', delayMs: 1_000 });
  for (let i = 0; i < 50; i++) {
    clock.nowMs += 60_000;
    assert.equal(all.enter('a').kind, 'go');
    all.left('a', false, 100);
  }
  assert.deepEqual(all.enter('a'), { kind: 'hold', delayMs: 60_000 });
});

test('a success between failures starts the count anew', () => {
  const { all } = receivers();
  for (const alive of [false, false, true, false, false]) { all.enter('a'); all.left('a', alive, 100); }
  assert.equal(all.enter('a').kind, 'go');
});

test('what is held back is told to come again one after the other, as fast as the host answers', () => {
  const { all, clock } = receivers();
  for (let i = 0; i < 2; i++) all.enter('a');
  for (let i = 0; i < 100; i++) { all.left('a', true, 300); all.enter('a'); }
  const delays = Array.from({ length: 100 }, () => { const held = all.enter('a'); return held.kind === 'hold' ? held.delayMs : 0; });
  assert.ok(Math.abs((delays[0] ?? 0) - 450) < 5, String(delays[0]));
  for (const [i, delayMs] of delays.entries()) if (i > 0) assert.ok(Math.abs(delayMs - (delays[i - 1] ?? 0) - 150) < 5, String(delays));
  clock.nowMs = 15_000;
  const next = all.enter('a');
  assert.ok(next.kind === 'hold' && next.delayMs < 1_000, 'the line moves with the time');
  assert.equal(all.enter('b').kind, 'go');
});

test('however long the line, nothing is held back for more than a minute', () => {
  const { all } = receivers();
  all.enter('a');
  all.enter('a');
  for (let i = 0; i < 10_000; i++) {
    const held = all.enter('a');
    assert.ok(held.kind === 'hold' && held.delayMs > 0 && held.delayMs <= 60_000);
  }
});
