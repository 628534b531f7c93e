import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { axisTicks } from './balance-chart.ts';

test('the axis spans every balance with two to six round, evenly spaced amounts', () => {
  const cents = fc.integer({ min: -1e12, max: 1e12 });
  fc.assert(fc.property(cents, cents, (a, b) => {
    const least = Math.min(a, b);
    const most = Math.max(a, b);
    const ticks = axisTicks(least, most);
    assert.ok(ticks.length >= 2 && ticks.length <= 6, `${ticks.length} ticks`);
    assert.ok((ticks[0] ?? Number.NaN) <= least && (ticks.at(-1) ?? Number.NaN) >= most);
    const step = (ticks[1] ?? Number.NaN) - (ticks[0] ?? Number.NaN);
    ticks.forEach((tick, index) => assert.equal(tick, (ticks[0] ?? Number.NaN) + index * step));
    assert.match(String(step / 100), /^[125]0*$/);
  }));
});

test('a month without movement has an axis, too', () => {
  assert.deepEqual(axisTicks(0, 0), [0, 100]);
});
