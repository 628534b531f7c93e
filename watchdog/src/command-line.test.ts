import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { splitCommandLine } from './command-line.js';

for (const [line, words, why] of [
  ['node index.js', ['node', 'index.js'], 'words are split at blanks'],
  ['  cat\t -n  ', ['cat', '-n'], 'blanks around and between do not count'],
  ['', [], 'nothing is no command'],
  [`sh -c 'echo "hi there"; exit 1'`, ['sh', '-c', 'echo "hi there"; exit 1'], 'single quotes keep all as it is'],
  [`a "b 'c' \\"d\\" \\n"`, ['a', `b 'c' "d" \\n`], 'in double quotes a backslash escapes quotes and keeps itself before the rest'],
  [`a\\ b c`, ['a b', 'c'], 'a backslash keeps a blank in its word'],
  [`a"b c"'d e'f`, ['ab cd ef'], 'pieces side by side are one word'],
  [`env X='' ""`, ['env', 'X=', ''], 'two quotes are an empty word'],
  ['echo $HOME *', ['echo', '$HOME', '*'], 'nothing is expanded'],
] as const) {
  test(`fprocess ${JSON.stringify(line)}: ${why}`, () => {
    assert.deepEqual(splitCommandLine(line), words);
  });
}

test('an open quote and a backslash at the end are refused', () => {
  for (const line of [`a 'b`, `a "b`, `a "b\\"`, 'a \\']) assert.throws(() => splitCommandLine(line), SyntaxError, line);
});

test('every list of words survives quoting and splitting', () => {
  const single = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
  const double = (word: string): string => `"${word.replace(/[\\"$`]/g, '\\$&')}"`;
  const quoted = fc.tuple(fc.string({ unit: 'binary' }), fc.constantFrom(single, double));
  fc.assert(fc.property(fc.array(quoted), (words) => {
    const line = words.map(([word, quote]) => quote(word)).join(' ');
    assert.deepEqual(splitCommandLine(line), words.map(([word]) => word));
  }));
});

test('no line does anything but split or throw a SyntaxError', () => {
  fc.assert(fc.property(fc.string(), (line) => {
    try {
      splitCommandLine(line);
    } catch (error) {
      assert.ok(error instanceof SyntaxError);
    }
  }));
});
