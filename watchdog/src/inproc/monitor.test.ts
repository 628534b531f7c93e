import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { handlerFolder } from './testing/serve-handler.js';
import { program, startWatchdog, withCallId } from './testing/start-watchdog.js';

test('a handler that blocks the event loop past exec_timeout has its process ended, and the log names the calls', async (t) => {
  const watchdog = await startWatchdog(t, { 'handler.mjs': 'export default () => { for (;;); }' }, { lang: 'web', exec_timeout: '200ms' });
  await assert.rejects(fetch(watchdog.url, withCallId('0f8fad5b-d9cb-469f-a165-70867728950e')));
  assert.equal(await watchdog.ended, 'SIGKILL');
  assert.match(watchdog.output.err, /the handler has blocked the event loop for \d+\.\ds; ending the process; running: \[0f8fad5b-d9cb-469f-a165-70867728950e\]\n/);
});

test('a handler that blocks the event loop for less is left alone', async (t) => {
  const watchdog = await startWatchdog(t, {
    'handler.mjs': 'export default () => { const end = Date.now() + 700; while (Date.now() < end); return new Response("done"); }',
  }, { lang: 'web', exec_timeout: '10s' });
  assert.equal(await (await fetch(watchdog.url)).text(), 'done');
});

test('a watchdog whose parent was killed ends even while its handler blocks the event loop', async (t) => {
  const folder = await handlerFolder(t, {
    'handler.mjs': 'import { writeSync } from "node:fs"; export default () => { writeSync(1, "blocking\\n"); for (;;); }',
    'parent.mjs': `import { fork } from 'node:child_process';
      const child = fork(${JSON.stringify(program)}, { env: { ...process.env }, execArgv: [] });
      child.on('message', (message) => { process.send({ ...message, pid: child.pid }); });`,
  });
  const parent = fork(path.join(folder, 'parent.mjs'), {
    env: { lang: 'web', handler: folder, port: '0', metrics_port: '0', exec_timeout: '0' }, silent: true, execArgv: [],
  });
  t.after(() => parent.kill('SIGKILL'));
  const [{ url, pid }] = await once(parent, 'message') as [{ url: string; pid: number }];
  t.after(() => { if (isAlive(pid)) process.kill(pid, 'SIGKILL'); });
  const lost = assert.rejects(fetch(url));
  let out = '';
  while (!out.includes('blocking')) out += String((await once(parent.stdout ?? parent, 'data'))[0]);
  parent.kill('SIGKILL');
  await lost;
  const deadlineMs = performance.now() + 10_000;
  while (isAlive(pid) && performance.now() < deadlineMs) await delay(20);
  assert.ok(!isAlive(pid), 'the watchdog outlived its parent');
});

function isAlive(pid: number | undefined): pid is number {
  if (pid === undefined) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
