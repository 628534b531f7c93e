import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { SettingsError } from '@postern/settings';
import { lockFolder } from './folder-lock.js';
import { processId } from './process-tree.js';
import { temporaryFolder } from './testing/open-provider.js';

test('a folder has one owner at a time, and nothing is left of the lock when it is given back', async (t) => {
  const folder = await temporaryFolder(t);
  const unlock = lockFolder(folder);
  assert.throws(() => lockFolder(folder), (error) => error instanceof SettingsError && error.message.includes(String(process.pid)));
  unlock();
  assert.deepEqual(await readdir(folder), []);
  lockFolder(folder)();
});

for (const [whose, content] of [
  ['a process that is gone', JSON.stringify({ pid: 2 ** 30, started: '1' })],
  ['an earlier process whose number another has now', JSON.stringify({ ...processId(process.pid), started: '1' })],
  ['a process elsewhere that is gone', JSON.stringify({ pid: 2 ** 30, started: '' })],
  ['nobody who can be read', ''],
] as const) {
  test(`the lock of ${whose} is stale`, async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'provider.lock'), content);
    const unlock = lockFolder(folder);
    assert.throws(() => lockFolder(folder), SettingsError);
    unlock();
    assert.deepEqual(await readdir(folder), []);
  });
}

test('a lock that is another\'s by now is not given back', async (t) => {
  const folder = await temporaryFolder(t);
  const unlock = lockFolder(folder);
  await writeFile(join(folder, 'provider.lock'), JSON.stringify({ pid: 1, started: '1' }));
  unlock();
  assert.deepEqual(await readdir(folder), ['provider.lock']);
});

test('a folder that cannot hold a lock is told by name', async (t) => {
  const file = join(await temporaryFolder(t), 'file');
  await writeFile(file, '');
  const folder = join(file, 'data');
  assert.throws(() => lockFolder(folder), (error) => error instanceof SettingsError && error.message.startsWith(`DATA_DIR=${folder} cannot be locked`));
});
