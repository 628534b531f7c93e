import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { StartSlots } from './start-slots.js';

test('the first come start first, never more than there are slots, and who gives up is passed over', async () => {
  const slots = new StartSlots(2);
  const started: string[] = [];
  const [leaveA] = ['a', 'b'].map((name) => slots.take(() => started.push(name)));
  const giveUpC = slots.take(() => started.push('c'));
  slots.take(() => started.push('d'));
  await turn();
  assert.deepEqual(started, ['a', 'b']);
  giveUpC();
  leaveA?.();
  leaveA?.();
  await turn();
  assert.deepEqual(started, ['a', 'b', 'd']);
});

test('in any order of coming and going the slots are never exceeded and nobody is forgotten', async () => {
  await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 3 }), fc.array(fc.nat(9), { maxLength: 40 }), async (count, choices) => {
    const slots = new StartSlots(count);
    const running = new Set<number>();
    const leave = new Map<number, () => void>();
    for (const [i, choice] of choices.entries()) {
      const leaving = [...leave.keys()][choice];
      if (choice > 4 || leaving === undefined) {
        leave.set(i, slots.take(() => running.add(i)));
      } else {
        leave.get(leaving)?.();
        leave.delete(leaving);
        running.delete(leaving);
      }
      await turn();
      assert.equal(running.size, Math.min(count, leave.size));
    }
  }), { numRuns: 30 });
});
