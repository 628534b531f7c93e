import assert from 'node:assert/strict';
import { test } from 'node:test';
import { laneKey, laneOf, parseLaneKey } from './call.js';

test('a function waits in the queue it names, else in "default"', () => {
  const fn = { name: 'f', namespace: 'ns', annotations: {} };
  assert.deepEqual(laneOf(fn), { queue: 'default', namespace: 'ns', function: 'f' });
  assert.equal(laneOf({ ...fn, annotations: { 'com.openfaas.queue': 'slow_1-x' } }).queue, 'slow_1-x');
  assert.equal(laneOf({ ...fn, annotations: { 'com.openfaas.queue': 'no.dots' } }).queue, 'default');
});

test('a lane is read back from its key, and nothing else is one', () => {
  const lane = { queue: 'slow', namespace: 'ns', function: 'f-1' };
  assert.deepEqual(parseLaneKey(laneKey(lane)), lane);
  for (const key of ['', 'a', 'a.b', 'a.b.', 'a.b.c.d', 'a.b.c@d', 'a.b.*', 'a.b.>', 'a.b. ', 'a.b.c\n', 'a.b.é']) assert.equal(parseLaneKey(key), undefined);
});
