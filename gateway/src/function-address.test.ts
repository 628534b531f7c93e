import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseFunctionAddress } from './function-address.js';

const parse = (rest: string) => parseFunctionAddress(rest, 'openfaas-fn');

for (const [rest, name, namespace, path, query] of [
  ['hello', 'hello', 'openfaas-fn', '', ''],
  ['hello/', 'hello', 'openfaas-fn', '/', ''],
  ['hello.dev', 'hello', 'dev', '', ''],
  ['a.b.dev/x', 'a.b', 'dev', '/x', ''],
  ['hello//a%2Fb/?x=/1?y', 'hello', 'openfaas-fn', '//a%2Fb/', 'x=/1?y'],
  ['hello?x=a/b', 'hello', 'openfaas-fn', '', 'x=a/b'],
  ['hello?', 'hello', 'openfaas-fn', '', ''],
] as const) {
  test(`"${rest}" is ${name} in ${namespace}, path "${path}", query "${query}"`, () => {
    assert.deepEqual(parse(rest), { name, namespace, key: `${name}.${namespace}`, path, query });
  });
}

for (const rest of ['', '/x', '?x', 'hel%20lo', 'héllo', '.dev', 'hello.', 'a b']) {
  test(`"${rest}" names no function`, () => assert.equal(parse(rest), undefined));
}

test('no text throws, and what is parsed puts together what was sent', () => {
  fc.assert(fc.property(fc.string(), (rest) => {
    const address = parse(rest);
    if (address && rest.includes('?')) assert.ok(rest.endsWith(`${address.path}?${address.query}`));
    else if (address) assert.ok(rest.endsWith(address.path));
  }));
});
