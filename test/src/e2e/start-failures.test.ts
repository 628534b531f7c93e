/** What keeps Postern from starting is one line that says what to do, and exit code 1. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeFolder, program, up } from './fixture.js';

const stackWith = (text: string) => ({ 'stack.yml': `version: "1.0"\nprovider: {name: openfaas}\nfunctions:\n${text}` });

/** Runs `postern up` to its end. */
async function failure(folder: Parameters<typeof program>[0], env: Record<string, string> = {}, name = 'up'): Promise<string> {
  const postern = program(folder, { program: name, env: { PORT: '0', ...env } });
  assert.equal(await postern.exited, 1, postern.output);
  const lines = postern.output.trim().split('\n');
  assert.equal(lines.length, 1, postern.output);
  return lines[0] ?? '';
}

test('a port in use', async (t) => {
  const folder = await makeFolder(t, 'embedded');
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  // A TCP server's address is an AddressInfo once it listens.
  const { port } = taken.address() as AddressInfo;
  assert.match(await failure(folder, { PORT: String(port) }), new RegExp(`^postern: port ${port} on 127\\.0\\.0\\.1 is in use: .*set PORT`));
});

test('a data folder that cannot be written', async (t) => {
  const folder = await makeFolder(t, 'embedded');
  const file = join(folder.dir, 'a-file');
  await writeFile(file, '');
  assert.match(await failure(folder, { DATA_DIR: join(file, 'data') }), /^postern: .*a-file\/data/);
});

test('a data folder where no folder can be', async (t) => {
  const folder = await makeFolder(t, 'embedded');
  assert.match(await failure(folder, { DATA_DIR: '/proc/postern' }), /^postern: .*\/proc\/postern/);
});

test('an unknown command', async (t) => {
  const folder = await makeFolder(t, 'embedded');
  assert.equal(await failure(folder, {}, 'nonsense'), 'postern: unknown command nonsense: there are up, gateway, queue-worker, provider');
});

test('a data folder that another Postern has', async (t) => {
  const folder = await makeFolder(t, 'embedded');
  const { postern } = await up(folder);
  assert.match(await failure(folder), new RegExp(`^postern: .*data.*${postern.pid}`));
});

for (const [what, text, expected] of [
  ['a wrong key in stack.yml', '  hello: {lang: web, hander: ./echo}\n', /stack\.yml:4:\d+: functions\.hello: unknown key "hander" \(did you mean "handler"\?\)/],
  ['a handler folder that is not there', '  hello: {lang: web, handler: ./nowhere}\n', /stack\.yml:4:\d+: .*nowhere/],
  ['a function name with capitals', '  Hello: {lang: web, handler: ./echo}\n', /stack\.yml:4:\d+: .*Hello/],
] as const) {
  test(what, async (t) => {
    const folder = await makeFolder(t, 'embedded', stackWith(text));
    assert.match(await failure(folder), expected);
  });
}

test('no stack.yml', async (t) => {
  const folder = await makeFolder(t, 'embedded');
  assert.match(await failure(folder, { STACK_FILE: join(folder.dir, 'nope.yml') }), /^postern: .*nope\.yml/);
});

test('a setting that is none', async (t) => {
  const folder = await makeFolder(t, 'embedded');
  assert.equal(await failure(folder, { upstream_timeout: 'soon' }), 'postern: upstream_timeout=soon: expected a duration such as 30s, 2m or 500ms');
});

test('a gateway of its own without a broker, and without a provider', async (t) => {
  const folder = await makeFolder(t, 'embedded');
  assert.match(await failure(folder, {}, 'gateway'), /^postern gateway: NATS_URL is not set: .*postern up/);
  assert.match(await failure(folder, { NATS_URL: 'nats://127.0.0.1:4222' }, 'gateway'), /^postern gateway: functions_provider_url is not set: /);
});
