import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeHeaderBlock } from '../call-codec.js';
import { causeBytes } from './publish.js';
import { encodeDeadLetterHeaders } from './dead-letters.js';

const letter = { messageId: 'dead-POSTERN_CALLS-1', callId: '0b5c2f1e-7c1d-4a52-9f0e-3d7a5e3c9b10', written: [['X-Word', 'one'], ['Nats-Msg-Id', 'of the call']] } as const;

test('a cause\'s text cannot end its header, nor write another', () => {
  const headers = decodeHeaderBlock(encodeDeadLetterHeaders({ ...letter, cause: { code: 'status', message: 'first\r\nPostern-Dead-Code: none\n\n', attempts: 1 } }));
  assert.deepEqual(headers.filter(([name]) => name === 'Postern-Dead-Code'), [['Postern-Dead-Code', 'status']]);
  assert.deepEqual(headers.find(([name]) => name === 'Postern-Dead-Message')?.[1], 'first Postern-Dead-Code: none');
  assert.deepEqual(headers.filter(([name]) => name === 'Nats-Msg-Id'), [['Nats-Msg-Id', letter.messageId]]);
});

for (const character of ['x', '\u20ac', '\u{1f4a5}']) {
  test(`the longest cause of "${character}" fits into what publishing keeps free for it, and no character is cut in two`, () => {
    const text = character.repeat(10_000);
    const block = encodeDeadLetterHeaders({ ...letter, cause: { code: text, message: text, status: 599, attempts: 1_000_000 } });
    const added = block.length - Buffer.byteLength('NATS/1.0\r\nX-Word: one\r\n\r\n');
    assert.ok(added <= causeBytes, `${added} bytes`);
    assert.ok(!block.includes('\ufffd'));
  });
}
