import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { BadSubstitution, substitute } from './envsubst.js';

const env = { V: 'Hello', EMPTY: '', P: 'a/b/c.tar.gz', U: 'éa' };

for (const [source, text] of [
  ['plain $V text', 'plain $V text'],
  ['${V}', 'Hello'], ['a${V}b${V}c', 'aHellobHelloc'], ['${NONE}', ''],
  ['${V:-d}', 'Hello'], ['${NONE:-d}', 'd'], ['${EMPTY:-d}', 'd'], ['${NONE-d}', 'd'], ['${NONE:=d}', 'd'], ['${NONE=d}', 'd'],
  ['${NONE:?d}', 'd'], ['${NONE:+d}', 'd'], ['${NONE+d}', 'd'], ['${V:+d}', 'Hello'], ['${NONE:-}', ''],
  ['${NONE:-a:b/c#d}', 'a:b/c#d'], ['${NONE:-x${V}y${NONE:-z}}', 'xHelloyz'],
  ['${V^}', 'Hello'], ['${V^^}', 'HELLO'], ['${V,}', 'hello'], ['${V,,}', 'hello'],
  ['${#V}', '5'], ['${#NONE}', '0'], ['${#U}', '2'],
  ['${V:1}', 'ello'], ['${V:1:3}', 'ell'], ['${V: -2}', 'lo'], ['${V:9}', ''], ['${V:x}', 'Hello'],
  ['${P#*/}', 'b/c.tar.gz'], ['${P##*/}', 'c.tar.gz'], ['${P%.*}', 'a/b/c.tar'], ['${P%%.*}', 'a/b/c'], ['${P#x}', 'a/b/c.tar.gz'],
  ['${V/l/L}', 'HeLlo'], ['${V//l/L}', 'HeLLo'], ['${V/#H/J}', 'Jello'], ['${V/%o/a}', 'Hella'], ['${V/l}', 'Helo'], ['${P/\\//-}', 'a-b/c.tar.gz'],
  ['$$', '$'], ['$${V}', '${V}'], ['a$', 'a$'],
] as const) {
  test(`${source} becomes ${text}`, () => assert.equal(substitute(source, env).text, text));
}

for (const [source, offset] of [['a ${', 2], ['${V', 0], ['${}', 0], ['x\n${V:-d', 2], ['${V!}', 0], ['${-x}', 0], ['${#}', 0]] as const) {
  test(`${JSON.stringify(source)} is refused at its place`, () => {
    assert.throws(() => substitute(source, env), (error) => error instanceof BadSubstitution && error.offset === offset);
  });
}

test('text without a dollar is untouched, and no text throws anything but BadSubstitution', () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom('a', '$', '{', '}', ':', '-', '#', '%', '/', '\\', '[', '*', 'V') }), (source) => {
    try {
      const { text } = substitute(source, env);
      if (!source.includes('$')) assert.equal(text, source);
    } catch (error) {
      assert.ok(error instanceof BadSubstitution);
    }
  }));
});

test('a value is inserted as it is, whatever it looks like', () => {
  fc.assert(fc.property(fc.string(), fc.string(), (V, word) => {
    assert.equal(substitute('<${V}>', { V }).text, `<${V}>`);
    assert.equal(substitute('${A//x/${V}}', { A: 'x', V }).text, V);
    assert.equal(substitute('${V:-${D}}', { V, D: word }).text, V === '' ? word : V);
  }));
});

test('every place of the result is traced to where it was written', () => {
  const chunk = fc.oneof(fc.constantFrom('${V}', '${NONE:-abc}', '$$'), fc.stringMatching(/^[x-z\n]{1,5}$/));
  fc.assert(fc.property(fc.array(chunk), (chunks) => {
    const source = chunks.join('');
    const { text, originalOffset } = substitute(source, env);
    for (const [offset, character] of Array.from(text).entries()) {
      if ('xyz\n'.includes(character)) assert.equal(source.charAt(originalOffset(offset)), character);
      else assert.equal(source.charAt(originalOffset(offset)), '$');
    }
  }));
});

const bash = spawnSync('bash', ['-c', 'echo ${BASH_VERSINFO[0]}'], { encoding: 'utf8' });
test('patterns, cases and slices agree with bash', { skip: Number(bash.stdout) >= 4 ? false : 'no bash of version 4 or newer here' }, () => {
  const value = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.', 'É'), maxLength: 6 });
  const glob = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '?', '[ab]', '[!a]'), minLength: 1, maxLength: 4 });
  const literal = fc.string({ unit: fc.constantFrom('a', 'b', '.'), minLength: 1, maxLength: 3 });
  const cases = fc.sample(fc.tuple(value, fc.oneof(
    fc.tuple(fc.constantFrom('#', '##', '%', '%%'), glob).map(([operator, pattern]) => `${operator}${pattern}`),
    fc.tuple(fc.constantFrom('/', '//', '/#', '/%'), literal, literal).map(([operator, from, to]) => `${operator}${from}/${to}`),
    fc.tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 7 })).map(([offset, length]) => `:${offset}:${length}`),
    fc.integer({ min: 0, max: 6 }).map((offset) => `:${offset}`),
    fc.constantFrom('^', '^^', ',', ',,', ':-d', ':=d'),
  )), 400);
  const script = cases.map(([text, operation]) => `V='${text}'; printf '%s\\0' "\${V${operation}}"`).join('\n');
  const told = spawnSync('bash', ['-c', script], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8' } });
  assert.equal(told.stderr, '');
  const expected = told.stdout.split('\0').slice(0, -1);
  assert.deepEqual(cases.map(([V, operation]) => substitute(`\${V${operation}}`, { V }).text), expected);
});
