import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readLines } from './ndjson.js';

async function linesOf(chunks: Uint8Array[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of readLines((async function* () { yield* chunks; })())) lines.push(line);
  return lines;
}

test('lines come out whole, wherever the bytes were cut', async () => {
  const line = fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\n', ' '));
  await fc.assert(fc.asyncProperty(fc.array(line), fc.array(fc.nat()), async (lines, cuts) => {
    const bytes = Buffer.from(lines.map((each) => `${each}\n`).join(''));
    const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), 0, bytes.length].sort((a, b) => a - b);
    const chunks = ends.slice(1).map((end, i) => bytes.subarray(ends[i], end));
    assert.deepEqual(await linesOf(chunks), lines);
  }));
});

test('a last line that broke off is not told', async () => {
  assert.deepEqual(await linesOf([Buffer.from('{"a":1}\n{"b":')]), ['{"a":1}']);
});

test('a line without an end is given up before it fills the memory', async () => {
  const endless = (async function* () { for (;;) yield Buffer.alloc(1024 * 1024, 'x'); })();
  await assert.rejects(async () => { for await (const _line of readLines(endless)) assert.fail('there is no line'); }, /a line of more than/);
});
