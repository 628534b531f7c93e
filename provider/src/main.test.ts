import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { SettingsError, readSettings } from '@postern/settings';
import { pino } from 'pino';
import { request } from 'undici';
import { ProviderUnavailable } from './errors.js';
import { startProvider, type RunningProvider } from './main.js';
import type { Provider } from './provider.js';
import { createRemoteProvider } from './remote/remote-provider.js';
import { providerSettings } from './settings.js';
import { recordEvents } from './testing/record-events.js';

const log = pino({ level: 'silent' });
const hello = { name: 'hello', namespace: 'openfaas-fn' };
const credentials = { user: 'admin', password: 'secret' };

/** Speaks the watchdog's part with its parent, and no more of it than a function that answers "hi". */
const watchdog = `
import { createServer } from 'node:http';
const server = createServer((_request, response) => response.end('hi')).listen(0, '127.0.0.1', () => {
  process.send({ type: 'ready', url: 'http://127.0.0.1:' + server.address().port });
});
for (const end of ['disconnect', 'SIGTERM']) process.on(end, () => process.exit(0));
`;

const stack = (lang: string): string => `
version: 1.0
provider: { name: openfaas, gateway: http://127.0.0.1:8080 }
functions:
  hello: { lang: ${lang}, handler: ./hello, image: postern/hello:latest }
`;

/** A folder with a stack file, its handler, credentials and a watchdog; and the program started on it. */
async function folder(t: TestContext, files: { readonly lang?: string } = {}): Promise<{
  start(env?: NodeJS.ProcessEnv): Promise<RunningProvider>; readonly dir: string;
}> {
  const dir = await mkdtemp(join(tmpdir(), 'postern-provider-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  await mkdir(join(dir, 'hello'));
  await writeFile(join(dir, 'hello', 'handler.js'), '');
  await writeFile(join(dir, 'stack.yml'), stack(files.lang ?? 'node'));
  await writeFile(join(dir, 'watchdog.mjs'), watchdog);
  await writeFile(join(dir, 'basic-auth-user'), credentials.user);
  await writeFile(join(dir, 'basic-auth-password'), credentials.password);
  return {
    dir,
    start: async (env = {}) => {
      const settings = readSettings(providerSettings, {
        PORT: '0', DATA_DIR: join(dir, 'data'), basic_auth: 'true', secret_mount_path: dir, ...env,
      });
      const running = await startProvider(settings, { watchdogMain: join(dir, 'watchdog.mjs'), env: process.env, log });
      t.after(() => running.close());
      return running;
    },
  };
}

async function endpointOf(remote: Provider): Promise<string> {
  const record = recordEvents(remote, 30_000);
  const event = await record.next((told) => told.kind === 'changed' && told.state.endpoints.length === 1);
  record.stop();
  return event.kind === 'changed' ? event.state.endpoints[0]?.url ?? '' : '';
}

test('the functions of the stack file run, answer for those with the credentials, and survive a restart', async (t) => {
  const { start, dir } = await folder(t);
  const first = await start({ STACK_FILE: join(dir, 'stack.yml') });
  const remote = createRemoteProvider({ url: first.url, credentials, log });
  t.after(() => remote.close());
  const url = await endpointOf(remote);
  assert.equal(await (await request(url)).body.text(), 'hi');
  assert.equal((await remote.info()).orchestration, 'process');
  const stranger = createRemoteProvider({ url: first.url, log });
  t.after(() => stranger.close());
  await assert.rejects(stranger.list('openfaas-fn'), ProviderUnavailable);

  await Promise.all([first.close(), first.close()]);
  await assert.rejects(request(url), 'the function outlived its provider');

  const second = await start();
  const again = createRemoteProvider({ url: second.url, credentials, log });
  t.after(() => again.close());
  assert.equal((await again.get(hello))?.spec.name, 'hello');
  assert.equal(await (await request(await endpointOf(again))).body.text(), 'hi');
});

test('missing credentials stop the start', async (t) => {
  const { start, dir } = await folder(t);
  await assert.rejects(start({ secret_mount_path: join(dir, 'nowhere') }), SettingsError);
});

for (const HOST of ['0.0.0.0', '::', '10.0.0.7']) {
  test(`without credentials it does not start on ${HOST}, where others would run their programs here`, async (t) => {
    const { start } = await folder(t);
    await assert.rejects(start({ HOST, basic_auth: 'false' }), (error) => error instanceof SettingsError && /^HOST=.*basic_auth=true.*secret_mount_path/.test(error.message));
  });
}

test('a function that cannot run here does not keep the provider from starting', async (t) => {
  const { start, dir } = await folder(t, { lang: 'cobol' });
  const { url } = await start({ STACK_FILE: join(dir, 'stack.yml') });
  const remote = createRemoteProvider({ url, credentials, log });
  t.after(() => remote.close());
  assert.equal(await remote.get(hello), undefined);
});

test('a port in use stops the start and leaves no function behind', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await new Promise((resolve) => taken.once('listening', resolve));
  const { start, dir } = await folder(t);
  const { port } = taken.address() as AddressInfo;
  await assert.rejects(start({ STACK_FILE: join(dir, 'stack.yml'), PORT: String(port) }), /port \d+ on 127\.0\.0\.1 is in use/);
});
