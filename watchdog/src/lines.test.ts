import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import fc from 'fast-check';
import { datedPrefix, forwardLines } from './lines.js';

async function forward(chunks: readonly (string | Buffer)[], maxLineBytes = 65_536): Promise<string> {
  const target = new PassThrough();
  const all = text(target);
  await forwardLines(Readable.from(chunks.map((chunk) => Buffer.from(chunk)), { objectMode: true }), target, { prefix: () => '> ', maxLineBytes });
  target.end();
  return all;
}

test('every line gets the prefix, the last one without a newline too', async () => {
  assert.equal(await forward(['one\ntw', 'o\n', '\nthree']), '> one\n> two\n> \n> three\n');
});

test('a line longer than the limit goes on in pieces, and the lines after it are not lost', async () => {
  assert.equal(await forward(['abcdefgh\nok\n'], 3), '> abc\n> def\n> gh\n> ok\n');
  assert.equal(await forward(['abc', '\nok'], 3), '> abc\n> ok\n');
});

test('however the output is cut into chunks, every byte of it arrives in order', async () => {
  await fc.assert(fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 })), fc.integer({ min: 1, max: 50 }), async (chunks, max) => {
    const target = new PassThrough();
    const received: Buffer[] = [];
    target.on('data', (chunk: Buffer) => received.push(chunk));
    await forwardLines(Readable.from(chunks.map((chunk) => Buffer.from(chunk)), { objectMode: true }), target, { prefix: () => '', maxLineBytes: max });
    const withoutNewlines = (bytes: Buffer): string => bytes.toString('latin1').replaceAll('\n', '');
    assert.equal(withoutNewlines(Buffer.concat(received)), withoutNewlines(Buffer.concat(chunks)));
  }));
});

test('the prefix is the one of Go\'s log', () => {
  assert.equal(datedPrefix('stderr', new Date(2026, 0, 5, 3, 4, 9)), '2026/01/05 03:04:09 stderr: ');
});
