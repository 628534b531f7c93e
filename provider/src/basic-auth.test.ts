import assert from 'node:assert/strict';
import { test } from 'node:test';
import { basicAuthHeader } from '@postern/settings';
import fc from 'fast-check';
import { basicAuthCheck } from './basic-auth.js';

const text = fc.string({ unit: 'grapheme', minLength: 1 });
const user = text.filter((given) => !given.includes(':'));

test('the header made from credentials is what the check of the same lets pass, and of others does not', () => {
  fc.assert(fc.property(user, text, user, text, (name, password, otherName, otherPassword) => {
    const matches = basicAuthCheck({ user: name, password });
    assert.equal(matches(basicAuthHeader({ user: name, password })), true);
    assert.equal(matches(basicAuthHeader({ user: otherName, password: otherPassword })), name === otherName && password === otherPassword);
  }));
});

const encode = (given: string): string => Buffer.from(given).toString('base64');
for (const [header, passes] of [
  [`Basic ${encode('admin:secret')}`, true],
  [`bAsIc  ${encode('admin:secret')}`, true],
  [undefined, false],
  ['', false],
  ['Basic', false],
  ['Basic !!!', false],
  [`Basic ${encode('admin')}`, false],
  [`Basic ${encode('admin:')}`, false],
  [`Basic ${encode(':secret')}`, false],
  [`Basic ${encode('admin:secret ')}`, false],
  [`Bearer ${encode('admin:secret')}`, false],
] as const) {
  test(`Authorization "${header}" ${passes ? 'passes' : 'is refused'}`, () => {
    assert.equal(basicAuthCheck({ user: 'admin', password: 'secret' })(header), passes);
  });
}
