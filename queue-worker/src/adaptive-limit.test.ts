import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AdaptiveLimit } from './adaptive-limit.js';

test('a burst of refusals brings it to the room there is', () => {
  const limit = new AdaptiveLimit(50);
  for (let running = 50; running > 3; running--) limit.refused(running - 1);
  assert.equal(limit.current, 3);
});

test('in a function with room for ten, about one attempt in ten is refused', () => {
  const limit = new AdaptiveLimit(50);
  limit.refused(10);
  let refusals = 0;
  for (let i = 0; i < 1_000; i++) {
    if (limit.current > 10) { limit.refused(10); refusals++; } else limit.answered();
  }
  assert.ok(refusals > 50 && refusals < 120, String(refusals));
});

test('once there is room again it is back at the ceiling after some hundred answers', () => {
  const limit = new AdaptiveLimit(50);
  limit.refused(0);
  let answers = 0;
  while (limit.current < 50) { limit.answered(); answers++; }
  assert.ok(answers < 200, String(answers));
});

test('a new ceiling is taken over at once, up only by who was not held below the old one', () => {
  const free = new AdaptiveLimit(5);
  free.setCeiling(9);
  assert.equal(free.current, 9);
  free.refused(4);
  free.setCeiling(20);
  assert.equal(free.current, 4);
  free.setCeiling(2);
  assert.equal(free.current, 2);
});

test('it stays between 1 and the ceiling, whatever happens', () => {
  const event = fc.oneof(fc.nat({ max: 100 }).map((others) => ({ others })), fc.constant('answered' as const), fc.integer({ min: 1, max: 100 }).map((ceiling) => ({ ceiling })));
  fc.assert(fc.property(fc.array(event, { maxLength: 300 }), (events) => {
    const limit = new AdaptiveLimit(10);
    let ceiling = 10;
    for (const each of events) {
      if (each === 'answered') limit.answered();
      else if ('others' in each) limit.refused(each.others);
      else { ({ ceiling } = each); limit.setCeiling(ceiling); }
      assert.ok(limit.current >= 1 && limit.current <= ceiling);
    }
  }));
});
