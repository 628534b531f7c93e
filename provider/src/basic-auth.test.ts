import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { SettingsError } from '@postern/settings';
import fc from 'fast-check';
import { basicAuthCheck, basicAuthHeader, readBasicAuth } from './basic-auth.js';

async function secretsDir(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'postern-basic-auth-'));
  t.after(() => rm(dir, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
  return dir;
}

test('the secrets are read without the blanks around them', async (t) => {
  const dir = await secretsDir(t, { 'basic-auth-user': 'admin\n', 'basic-auth-password': ' with blank \r\n' });
  assert.deepEqual(await readBasicAuth(dir), { user: 'admin', password: 'with blank' });
});

for (const [name, files, message] of [
  ['a missing user', { 'basic-auth-password': 'x' }, /cannot read .*basic-auth-user \(ENOENT\)/],
  ['a missing password', { 'basic-auth-user': 'x' }, /cannot read .*basic-auth-password \(ENOENT\)/],
  ['an empty password', { 'basic-auth-user': 'x', 'basic-auth-password': '\n' }, /basic-auth-password is empty/],
  ['a user with a colon', { 'basic-auth-user': 'a:b', 'basic-auth-password': 'x' }, /colon/],
] as const) {
  test(`${name} stops the program with the file's name`, async (t) => {
    const dir = await secretsDir(t, files);
    await assert.rejects(readBasicAuth(dir), (error: Error) => {
      assert.ok(error instanceof SettingsError);
      assert.match(error.message, message);
      return true;
    });
  });
}

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
