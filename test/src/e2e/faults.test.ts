/** Things that go wrong while Postern runs: what the caller sees, and that no accepted call disappears. */
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { startNatsServer } from '@postern/queue/testing/nats-server';
import { request } from 'undici';
import { startCallbackReceiver } from '../callback-receiver.js';
import { alive, eventually, makeFolder, program, queueKinds, up } from './fixture.js';

async function post(url: string, name: string, body: string, headers: Record<string, string> = {}) {
  const answer = await request(`${url}/async-function/${name}`, { method: 'POST', body, headers });
  const text = await answer.body.text();
  return { status: answer.statusCode, id: String(answer.headers['x-call-id']), headers: answer.headers, text };
}

/** Call ids of lines that end like this, in order. */
async function recorded(file: string, ending: string): Promise<string[]> {
  return (await readFile(file, 'utf8')).split('\n').filter((line) => line.endsWith(ending)).map((line) => line.split(' ')[0] ?? '');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  // A TCP server's address is an AddressInfo once it listens.
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('a function whose program is missing says so and leaves the others alone', async (t) => {
  const folder = await makeFolder(t, 'embedded', {
    'stack.yml': 'version: "1.0"\nprovider: {name: openfaas}\nfunctions:\n  echo: {lang: web, handler: ./echo}\n  nope: {fprocess: "no-such-program-here"}\n',
  });
  const { url } = await up(folder, { upstream_timeout: '2s' }, ['echo']);
  const sync = await request(`${url}/function/nope`, { method: 'POST', body: 'x' });
  assert.ok(sync.statusCode === 500 || sync.statusCode === 504, String(sync.statusCode));
  assert.match(await sync.body.text(), /no-such-program-here/);
  assert.equal(await (await request(`${url}/function/echo`, { method: 'POST', body: 'x' })).body.text(), 'x');
});

test('an HTTP program that dies at its start says so at once, in the output and in GET /system/function/NAME', async (t) => {
  const folder = await makeFolder(t, 'embedded', {
    'stack.yml': 'version: "1.0"\nprovider: {name: openfaas}\nfunctions:\n  echo: {lang: web, handler: ./echo}\n  dies: {fprocess: "false", environment: {mode: http}}\n',
  });
  const { postern, url } = await up(folder, {}, ['echo']);
  await postern.printed(/^  waiting  dies: .*exit status 1$/m, 20_000);
  await postern.printed(/^Ctrl-C stops everything\.$/m, 10_000);
  const { reason } = await (await request(`${url}/system/function/dies`)).body.json() as { reason?: string };
  assert.match(reason ?? '', /exit status 1/);
});

test('broker absent at start: sync calls work, async ones get 503 until it comes, then 202', async (t) => {
  const folder = await makeFolder(t, 'embedded');
  const port = await freePort();
  const { url } = await up(folder, { NATS_URL: `nats://127.0.0.1:${port}` });
  const refused = await post(url, 'echo', 'x');
  assert.equal(refused.status, 503);
  assert.match(String(refused.headers['retry-after']), /^\d+$/);
  assert.equal(await (await request(`${url}/function/echo`, { method: 'POST', body: 'x' })).body.text(), 'x');
  const nats = await startNatsServer({ port, storeDir: `${folder.dir}/late-nats` });
  t.after(() => nats.stop());
  const accepted = await eventually(async () => {
    const answer = await post(url, 'recorder', '1');
    return answer.status === 202 ? answer : undefined;
  }, 'a 202');
  await eventually(async () => (await recorded(folder.record, ' end')).includes(accepted.id) || undefined, 'the call to run');
});

test('broker killed and restarted under load: every call that got 202 runs, every other got 503', async (t) => {
  const folder = await makeFolder(t, 'jetstream');
  const { url } = await up(folder, { ack_wait: '5s' });
  const accepted = new Set<string>();
  const statuses = new Map<number, number>();
  let stop = false;
  const callers = Array.from({ length: 8 }, async () => {
    while (!stop) {
      const { status, id } = await post(url, 'recorder', '1');
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status === 202) accepted.add(id);
      else await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
  await eventually(() => accepted.size > 200 || undefined, '200 calls');
  await folder.nats?.kill9();
  await eventually(() => (statuses.get(503) ?? 0) > 10 || undefined, 'refusals');
  await folder.nats?.restart();
  const before = accepted.size;
  await eventually(() => accepted.size > before + 200 || undefined, '200 more calls');
  stop = true;
  await Promise.all(callers);
  assert.deepEqual([...statuses.keys()].sort((a, b) => a - b), [202, 503]);
  await eventually(async () => {
    const ran = new Set(await recorded(folder.record, ' end'));
    return [...accepted].every((id) => ran.has(id)) || undefined;
  }, 'every accepted call to have run');
});

for (const kind of queueKinds) {
  test(`${kind}: a function that crashes in mid-call costs that call alone an attempt, then makes it a dead letter with a last callback`, async (t) => {
    const folder = await makeFolder(t, kind);
    const { url } = await up(folder);
    const receiver = await startCallbackReceiver();
    t.after(() => receiver.close());
    const { id } = await post(url, 'crash', 'x', { 'x-callback-url': receiver.url });
    const neighbour = await post(url, 'echo', 'fine', { 'x-callback-url': receiver.url });
    const got = new Map<string, { status: number; body: string }>();
    for await (const callback of receiver.callbacks(AbortSignal.timeout(30_000))) {
      got.set(callback.callId, { status: callback.functionStatus, body: callback.body.toString() });
      if (got.size === 2) break;
    }
    assert.ok((got.get(id)?.status ?? 0) >= 500, JSON.stringify([...got]));
    assert.deepEqual(got.get(neighbour.id), { status: 200, body: 'fine' });
    const metrics = await (await request(`${url}/metrics`)).body.text();
    assert.match(metrics, /postern_worker_dead_total(\{[^}]*\})? 1\n/);
  });

  test(`${kind}: while the callback's receiver is down the function runs once, and the callback arrives when it is back`, async (t) => {
    const folder = await makeFolder(t, kind);
    const { url } = await up(folder);
    const port = await freePort();
    const { id } = await post(url, 'recorder', '1', { 'x-callback-url': `http://127.0.0.1:${port}/` });
    await eventually(async () => (await recorded(folder.record, ' end')).includes(id) || undefined, 'the call to run');
    const metric = async () => Number(/postern_worker_callbacks_total\{[^}]*retry[^}]*\} (\d+)/.exec(await (await request(`${url}/metrics`)).body.text())?.[1] ?? 0);
    await eventually(async () => (await metric()) >= 2 || undefined, 'two tries of the callback');
    const receiver = await startCallbackReceiver(port);
    t.after(() => receiver.close());
    for await (const callback of receiver.callbacks(AbortSignal.timeout(30_000))) {
      assert.equal(callback.callId, id);
      break;
    }
    assert.deepEqual(await recorded(folder.record, ' start'), [id]);
  });

  test(`${kind}: SIGTERM lets a running call finish, and what was queued runs after the next start`, async (t) => {
    const folder = await makeFolder(t, kind);
    const first = await up(folder, { max_inflight: '1' });
    const running = await post(first.url, 'recorder', '1500');
    await eventually(async () => (await recorded(folder.record, ' start')).includes(running.id) || undefined, 'the call to start');
    const waiting = await post(first.url, 'recorder', '1');
    assert.equal(await first.postern.stop(), 0);
    assert.deepEqual(await recorded(folder.record, ' end'), [running.id]);
    await up(folder, { max_inflight: '1' });
    await eventually(async () => (await recorded(folder.record, ' end')).includes(waiting.id) || undefined, 'the queued call to run');
    assert.deepEqual((await recorded(folder.record, ' start')).sort(), [running.id, waiting.id].sort());
  });
}

test('a function that never answers gets the sync caller a 504, and the async call another attempt', async (t) => {
  const folder = await makeFolder(t, 'embedded', {
    'stack.yml': 'version: "1.0"\nprovider: {name: openfaas}\nfunctions:\n  mute: {lang: node, handler: ./mute, environment: {exec_timeout: 500ms}, annotations: {com.openfaas.retry.attempts: "2", com.openfaas.retry.max_wait: 100ms}}\n',
    'mute/handler.mjs': 'export default () => {};\n',
  });
  const { url } = await up(folder, {}, ['mute']);
  const sync = await request(`${url}/function/mute`);
  assert.equal(sync.statusCode, 504);
  await sync.body.dump();
  const receiver = await startCallbackReceiver();
  t.after(() => receiver.close());
  await post(url, 'mute', 'x', { 'x-callback-url': receiver.url });
  for await (const callback of receiver.callbacks(AbortSignal.timeout(30_000))) {
    assert.equal(callback.functionStatus, 504);
    break;
  }
});

test('kill -9 of Postern leaves no function process behind', async (t) => {
  const folder = await makeFolder(t, 'embedded');
  const { postern } = await up(folder);
  const children = await descendants(postern.pid);
  assert.ok(children.length >= 4, String(children.length));
  await postern.kill9();
  await eventually(() => children.every((pid) => !alive(pid)) || undefined, `${children.join(', ')} to end`);
});

for (let round = 1; round <= 3; round++) {
  test(`kill -9 of Postern while its functions start leaves none of them behind (${round})`, async (t) => {
    const folder = await makeFolder(t, 'embedded');
    const postern = program(folder, { env: { PORT: '0' } });
    const children = await eventually(async () => {
      const found = await descendants(postern.pid);
      return found.length >= round ? found : undefined;
    }, 'a function to start');
    await postern.kill9();
    await eventually(() => children.every((pid) => !alive(pid)) || undefined, `${children.join(', ')} to end`);
  });
}

/** Every process below one, by /proc. */
async function descendants(root: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const below = (pid: number): boolean => {
    const parent = parents.get(pid);
    return parent !== undefined && (parent === root || below(parent));
  };
  return [...parents.keys()].filter(below);
}
