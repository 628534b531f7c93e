import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { OrphanGuard } from '../guard.js';
import { Log } from '../log.js';
import { eventually, isAlive, temporaryFile } from '../testing/watchdog-process.js';
import { Child, type ChildSettings } from './child.js';

function child(t: TestContext, settings: Partial<ChildSettings>, startLimitMs?: number) {
  const told: string[] = [];
  const guard = new OrphanGuard();
  const log = new PassThrough().setEncoding('utf8').on('data', (text: string) => { output += text; });
  let output = '';
  const supervised = new Child({
    command: ['sleep', '300'], environment: process.env, upstreamUrl: undefined, readyPath: '', prefixLogs: true, maxLogLineBytes: 65_536, ...settings,
  }, guard, new Log(log, log, false), {
    up: async () => void told.push('up'),
    down: ({ reason }) => void told.push(reason),
  }, startLimitMs);
  t.after(async () => {
    await supervised.stop();
    guard.close();
  });
  return { child: supervised, told, output: () => output };
}

/** Somebody else's server. @returns its port */
async function otherServer(t: TestContext): Promise<{ port: number; close(): void }> {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { port: (server.address() as AddressInfo).port, close: () => void server.close() };
}

const listening = "import { createServer } from 'node:http'; createServer((q, s) => s.end()).listen(process.env.UPSTREAM_PORT, '127.0.0.1');";

test('a port that another process holds is a reason, and the child is started once it is free', async (t) => {
  const other = await otherServer(t);
  const file = await temporaryFile(t, 'function.mjs', listening);
  const upstreamUrl = new URL(`http://127.0.0.1:${other.port}`);
  const supervised = child(t, { command: [process.execPath, file], upstreamUrl, environment: { UPSTREAM_PORT: String(other.port) } });
  const started = supervised.child.start();
  const reason = `port ${other.port} is taken by another process (upstream_url=${upstreamUrl.href})`;
  assert.equal(await eventually(() => supervised.told[0]), reason);
  other.close();
  await started;
  assert.deepEqual([...new Set(supervised.told)], [reason, 'up']);
});

test('of two functions that start at once on one port only that which has it is up', async (t) => {
  const { port, close } = await otherServer(t);
  close();
  const start = await temporaryFile(t, 'start', '');
  const file = await temporaryFile(t, 'function.mjs', `
    import { existsSync } from 'node:fs'; console.log('waiting');
    while (existsSync(${JSON.stringify(start)})) await new Promise((resolve) => setTimeout(resolve, 5));
    ${listening}`);
  const both = [1, 2].map(() => child(t, {
    command: [process.execPath, file], upstreamUrl: new URL(`http://127.0.0.1:${port}`), environment: { UPSTREAM_PORT: String(port) },
  }));
  for (const { child: supervised } of both) void supervised.start();
  await eventually(() => both.every(({ output }) => output().includes('waiting')));
  await rm(start);
  await eventually(() => both.every(({ told }) => told.length > 0));
  assert.deepEqual(new Set(both.map(({ told }) => told[0])), new Set(['up', "the function's process ended before it answered: exit status 1"]));
});

test('a child that does not answer in time is ended and started again', async (t) => {
  const supervised = child(t, { command: ['sh', '-c', 'echo pid $$; exec sleep 300'] }, 300);
  void supervised.child.start();
  const pids = await eventually(() => {
    const found = [...supervised.output().matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));
    return found.length >= 2 && found;
  });
  assert.match(supervised.told[0] ?? '', /^the function's process did not answer at http:\/\/127\.0\.0\.1:\d+\/ within 0\.3 s$/);
  assert.equal(await isAlive(pids[0] ?? 0), false);
});

test('stop ends a start that has just begun', async (t) => {
  const supervised = child(t, {});
  const started = supervised.child.start();
  await supervised.child.stop();
  await started;
  assert.deepEqual(supervised.told, []);
});

test('a ready_path is asked where the calls go: under the path of upstream_url', async (t) => {
  const { port, close } = await otherServer(t);
  close();
  const file = await temporaryFile(t, 'function.mjs', listening.replace('s.end()', 's.writeHead(q.url === "/base/ready" ? 200 : 404).end()'));
  const supervised = child(t, {
    command: [process.execPath, file], upstreamUrl: new URL(`http://127.0.0.1:${port}/base/`), readyPath: '/ready', environment: { UPSTREAM_PORT: String(port) },
  }, 20_000);
  await supervised.child.start();
  assert.deepEqual(supervised.told, ['up']);
});
