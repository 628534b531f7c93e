import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readBasicAuth } from './credentials.js';
import { SettingsError } from './settings.js';

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
