import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { eventually, isAlive, launchWatchdog, startWatchdog, temporaryFile, type ReadyWatchdog } from './testing/watchdog-process.js';

/** A function of http mode that says its pid and that of a process it started, and ignores SIGTERM. */
const stubborn = `
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
process.on('SIGTERM', () => undefined);
const helper = spawn('sleep', ['300']);
createServer((q, s) => s.end(process.pid + ' ' + helper.pid)).listen(process.env.PORT, '127.0.0.1');
`;

test('a wrong setting ends the program with one line and status 1', async (t) => {
  const watchdog = launchWatchdog(t, { fprocess: 'cat', max_inflight: 'many' });
  assert.deepEqual(await watchdog.ended, { code: 1, signal: null });
  assert.equal(watchdog.output(), 'max_inflight=many: expected a whole number of at least 0\n');
});

test('a port that is taken ends the program with one line and status 1', async (t) => {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  t.after(() => holder.close());
  const { port } = holder.address() as AddressInfo;
  const watchdog = launchWatchdog(t, { fprocess: 'cat', port: String(port) });
  assert.equal((await watchdog.ended).code, 1);
  assert.match(watchdog.output(), new RegExp(`^port=${port}: .*EADDRINUSE.*\\n$`));
});

for (const [how, end] of [
  ['kill -9', (watchdog: { kill(signal: NodeJS.Signals): void }) => watchdog.kill('SIGKILL')],
  ['the death of its parent', (watchdog: { disconnect(): void }) => watchdog.disconnect()],
  ['SIGTERM', (watchdog: { kill(signal: NodeJS.Signals): void }) => watchdog.kill('SIGTERM')],
] as const) {
  test(`after ${how} nothing of an http function is left, its own children included`, async (t) => {
    const file = await temporaryFile(t, 'function.mjs', stubborn);
    const watchdog = await startWatchdog(t, { mode: 'http', fprocess: `node ${file}` });
    const pids = (await (await fetch(watchdog.url)).text()).split(' ').map(Number);
    assert.equal(pids.length, 2);
    for (const pid of pids) assert.ok(await isAlive(pid));
    end(watchdog);
    await watchdog.ended;
    for (const pid of pids) await eventually(async () => !(await isAlive(pid)));
  });
}

/** A handler that starts a process, says its pid, and ends as the path says. */
const spawning = `
import { spawn } from 'node:child_process';
export default (q, s) => {
  if (q.url === '/block') for (;;);
  if (q.url === '/exit') process.exit();
  s.end(String(spawn('sleep', ['300'], { stdio: 'ignore' }).pid));
};`;

for (const [how, end] of [
  ['kill -9', (watchdog: ReadyWatchdog) => watchdog.kill('SIGKILL')],
  ['the death of its parent', (watchdog: ReadyWatchdog) => watchdog.disconnect()],
  ['SIGTERM', (watchdog: ReadyWatchdog) => watchdog.kill('SIGTERM')],
  ['process.exit', (watchdog: ReadyWatchdog) => void fetch(`${watchdog.url}/exit`).catch(() => undefined)],
  ['a blocked event loop', (watchdog: ReadyWatchdog) => void fetch(`${watchdog.url}/block`).catch(() => undefined)],
] as const) {
  test(`after ${how} nothing is left of what an inproc handler started, where the watchdog leads its group`, async (t) => {
    const handler = await temporaryFile(t, 'handler.mjs', spawning);
    const watchdog = await startWatchdog(t, { lang: 'node', handler, exec_timeout: '300ms' });
    const pid = Number(await (await fetch(watchdog.url)).text());
    assert.ok(await isAlive(pid));
    end(watchdog);
    await watchdog.ended;
    await eventually(async () => !(await isAlive(pid)));
  });
}

test('after kill -9 nothing of the calls that were running in forks is left', async (t) => {
  const watchdog = await startWatchdog(t, { fprocess: `sh -c 'echo "pid $$" >&2; exec sleep 300'` });
  const lost = [1, 2, 3].map((n) => assert.rejects(fetch(`${watchdog.url}/${n}`)));
  const pids = await eventually(() => {
    const found = [...watchdog.output().matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));
    return found.length === 3 && found;
  });
  watchdog.kill('SIGKILL');
  await Promise.all(lost);
  for (const pid of pids) await eventually(async () => !(await isAlive(pid)));
});

test('the parent hears the URLs when the function is ready, and that it is not when the drain begins', async (t) => {
  const watchdog = await startWatchdog(t, { fprocess: 'cat' });
  assert.match(watchdog.url, /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.equal((await fetch(watchdog.metricsUrl)).status, 200);
  watchdog.kill('SIGTERM');
  assert.equal((await watchdog.ended).code, 0);
  assert.deepEqual(watchdog.messages.at(-1), { type: 'unready', reason: 'the function is shutting down' });
});
