import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SettingsError } from '@postern/settings';
import { eventually } from '../testing/eventually.js';
import { ask, isAlive, openProvider, ready, stateOf, temporaryFolder } from './testing/open-provider.js';

const host = fileURLToPath(new URL('testing/provider-host/main.js', import.meta.url));

test('a folder is one provider\'s; killed with -9 it leaves no watchdog behind, and the next one serves what was deployed', async (t) => {
  const folder = await temporaryFolder(t);
  const child = spawn(process.execPath, [host, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const lines: unknown[] = await once(createInterface(child.stdout), 'line');
  const pid = Number(await (await fetch(`${String(lines[0])}/pid`)).text());
  assert.ok(isAlive(pid));
  await assert.rejects(openProvider(folder), (error) => error instanceof SettingsError && error.message
    === `DATA_DIR=${folder} is in use by the provider with pid ${child.pid}: stop that one, or set DATA_DIR to another folder`);
  assert.ok(isAlive(pid));
  child.kill('SIGKILL');
  await eventually(() => !isAlive(pid));
  const provider = await openProvider(folder);
  const state = await stateOf(provider, 'hello', ready);
  assert.notEqual(Number(await ask(state, '/pid')), pid);
});
