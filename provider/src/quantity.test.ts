import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseCpu, parseMemory } from './quantity.js';

for (const [text, bytes] of [
  ['64Mi', 67_108_864], ['1Gi', 2 ** 30], ['1.5Ki', 1_536], ['128M', 128e6], ['2k', 2_000], ['1048576', 1_048_576],
  ['', undefined], ['0', undefined], ['Mi', undefined], ['64 Mi', undefined], ['-1Mi', undefined], ['64mb', undefined], ['64i', undefined], ['9999999999Ti', undefined],
] as const) {
  test(`"${text}" of memory is ${bytes} bytes`, () => assert.equal(parseMemory(text), bytes));
}

for (const [text, cores] of [['250m', 0.25], ['2', 2], ['0.5', 0.5], ['0', undefined], ['m', undefined], ['1k', undefined], ['', undefined]] as const) {
  test(`"${text}" of CPU is ${cores} cores`, () => assert.equal(parseCpu(text), cores));
}

test('no text makes either throw or answer anything but more than 0', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\d{0,20}\.?\d{0,3}[kKMGTim]{0,2}$/)), (text) => {
    for (const amount of [parseMemory(text), parseCpu(text)]) assert.ok(amount === undefined || amount > 0);
  }));
});
