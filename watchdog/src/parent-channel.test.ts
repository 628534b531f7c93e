import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { ParentChannel } from './parent-channel.js';

function channel(connected: boolean) {
  // What ParentChannel asks of a process, and no more.
  return Object.assign(new EventEmitter(), { connected, send: () => true }) as unknown as ConstructorParameters<typeof ParentChannel>[0] & EventEmitter;
}

test('a parent that dies later is heard of when it does', () => {
  const process = channel(true);
  let lost = 0;
  new ParentChannel(process).onLost(() => { lost++; });
  assert.equal(lost, 0);
  process.emit('disconnect');
  assert.equal(lost, 1);
});

test('a parent that died while this process started is heard of at once', () => {
  let lost = 0;
  new ParentChannel(channel(false)).onLost(() => { lost++; });
  assert.equal(lost, 1);
});
