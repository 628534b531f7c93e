import assert from 'node:assert/strict';
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ask, openProvider, pidOf, program, ready, stateOf, temporaryFolder } from './testing/open-provider.js';

test('a function knows its name, its variables and the machine\'s path, and nothing of the gateway\'s', async (t) => {
  const provider = await openProvider(await temporaryFolder(t));
  await provider.deploy(program('hello', { envVars: { A: 'b', port: '99', NODE_CHANNEL_FD: '7' } }));
  const env = JSON.parse(await ask(await stateOf(provider, 'hello', ready), '/env')) as Record<string, string>;
  assert.deepEqual([env['A'], env['OPENFAAS_NAME'], env['OPENFAAS_NAMESPACE'], env['fprocess'], env['port'], env['HOST']], ['b', 'hello', 'fn', 'cat', '0', '127.0.0.1']);
  assert.ok(env['PATH']);
  assert.equal(env['NATS_URL'], undefined);
});

test('a secret that is rotated is what the next read finds, and no other secret is in sight', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'secrets/fn'), { recursive: true });
  await writeFile(join(folder, 'secrets/fn/db'), 'one');
  await writeFile(join(folder, 'secrets/fn/other'), 'not for you');
  const provider = await openProvider(folder);
  await provider.deploy(program('hello', { secrets: ['db'] }));
  const state = await stateOf(provider, 'hello', ready);
  assert.equal(await ask(state, '/secret?name=db'), 'one');
  await writeFile(join(folder, 'secrets/fn/.db.new'), 'two');
  await rename(join(folder, 'secrets/fn/.db.new'), join(folder, 'secrets/fn/db'));
  assert.equal(await ask(state, '/secret?name=db'), 'two');
  const { secret_mount_path: mount = '' } = JSON.parse(await ask(state, '/env')) as Record<string, string>;
  assert.deepEqual(await readdir(mount), ['db']);
});

test('a replica beyond its memory limit is started anew and the reason names the limit', { skip: process.platform === 'linux' ? false : 'memory is read from /proc' }, async (t) => {
  const folder = await temporaryFolder(t);
  const provider = await openProvider(folder);
  await provider.deploy(program('hello', { limits: { memory: '256Mi', cpu: '500m' }, annotations: { 'postern.lang': 'node', 'postern.handler': folder } }));
  const before = await stateOf(provider, 'hello', ready);
  assert.equal(await ask(before, '/argv'), '["--max-old-space-size=192"]');
  const pid = await pidOf(before);
  const noticed = stateOf(provider, 'hello', ({ reason }) => /used \d+Mi of memory, its limit is 256Mi$/.test(reason ?? ''));
  // It may be ended before it answers.
  await ask(before, '/grow?mb=256').catch(() => undefined);
  await noticed;
  const after = await stateOf(provider, 'hello', ready);
  assert.notEqual(await pidOf(after), pid);
});
