import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Turns } from './turns.js';

const signal = new AbortController().signal;

/** Turns on a clock of the test's own, all room taken and `waiting` calls in line, who are named as they go. */
async function fullWith(t: TestContext, waiting: number): Promise<{ turns: Turns; went: number[]; pass: (ms: number) => Promise<void> }> {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const turns = new Turns({ minWaitMs: 1_000, maxWaitMs: 10_000 });
  assert.equal(await turns.take(signal), true);
  turns.refused();
  const went: number[] = [];
  for (let i = 0; i < waiting; i++) void turns.take(new AbortController().signal).then((mayRun) => { if (mayRun) went.push(i); });
  const pass = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms);
    await settled();
  };
  return { turns, went, pass };
}

const settled = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

test('after a refusal calls stand in line, and for each that ends the first of them goes', async (t) => {
  const { turns, went } = await fullWith(t, 3);
  await settled();
  assert.deepEqual(went, []);
  turns.ended();
  await settled();
  assert.deepEqual(went, [0]);
  turns.ended();
  turns.ended();
  await settled();
  assert.deepEqual(went, [0, 1, 2]);
  assert.equal(await turns.take(signal), true, 'nobody stands in line any more');
});

test('while every trial is refused they become rarer, up to a bound, and each is one call', async (t) => {
  const { turns, went, pass } = await fullWith(t, 50);
  const trials: number[] = [];
  for (let second = 1; second <= 60; second++) {
    const before = went.length;
    await pass(1_000);
    for (let i = before; i < went.length; i++) { trials.push(second); turns.refused(); }
  }
  assert.deepEqual(trials, [1, 3, 7, 15, 25, 35, 45, 55]);
});

test('while no trial is refused they double, until nobody stands in line', async (t) => {
  const { went, pass } = await fullWith(t, 50);
  const sizes: number[] = [];
  while (went.length < 50) {
    const before = went.length;
    await pass(2_000);
    sizes.push(went.length - before);
  }
  assert.ok(sizes.length <= 6, String(sizes));
});

test('the first call that runs after a long silence makes trials frequent again', async (t) => {
  const { turns, went, pass } = await fullWith(t, 50);
  for (let i = 0; i < 5; i++) { await pass(10_000); turns.refused(); }
  turns.ended();
  await settled();
  const before = went.length;
  await pass(1_000);
  assert.equal(went.length, before + 1);
});

test('who is let go leaves the line; when the lane closes, all do', async (t) => {
  const { turns, went } = await fullWith(t, 1);
  const controller = new AbortController();
  const aborted = turns.take(controller.signal);
  controller.abort();
  assert.equal(await aborted, false);
  assert.equal(await turns.take(controller.signal), false);
  turns.close();
  await settled();
  assert.deepEqual(went, []);
  assert.equal(await turns.take(signal), false);
});
