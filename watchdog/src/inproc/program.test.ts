import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { handlerFolder } from './testing/serve-handler.js';
import { program, spawnWatchdog, startWatchdog } from './testing/start-watchdog.js';

const withCallId = (id: string) => ({ headers: { 'x-call-id': id } });

/** A call whose first bytes have come; the handler waits. */
async function openCall(url: string, callId: string): Promise<{ response: IncomingMessage; rest: Promise<string> }> {
  const [response]: IncomingMessage[] = await once(request(url, { ...withCallId(callId), agent: false }).end(), 'response') as IncomingMessage[];
  assert.ok(response);
  const rest = (async () => {
    let text = '';
    for await (const chunk of response) text += String(chunk);
    return text;
  })();
  return { response, rest };
}

const crashes: readonly (readonly [where: string, code: string])[] = [
  ['a timer', 'setTimeout(() => { throw new Error("lost"); });'],
  ['a promise nobody awaits', 'Promise.reject(new Error("lost"));'],
  ['an async function nobody awaits', '(async () => { await new Promise(setImmediate); throw new Error("lost"); })();'],
  ['a listener of the request', 'req.on("data", () => { throw new Error("lost"); });'],
  ['a listener of the response', 'res.on("pipe", () => { throw new Error("lost"); }); setImmediate(() => new PassThrough().pipe(res));'],
  ['a file\'s callback', 'readFile("/dev/null", () => { throw new Error("lost"); });'],
  ['an emitter\'s error', 'setImmediate(() => new EventEmitter().emit("error", new Error("lost")));'],
];
const crashing = `import { readFile } from 'node:fs'; import { EventEmitter } from 'node:events'; import { PassThrough } from 'node:stream';
  export default (req, res) => {
    if (req.url === '/neighbour') { res.write('begun '); globalThis.finish = () => res.end('finished'); return; }
    if (req.url === '/finish') { res.end(); return globalThis.finish(); }
    CRASH
  }`;
for (const [where, code] of crashes) {
  test(`an error lost in ${where} answers its own call 500 at once, lets the neighbour finish, and ends the process`, async (t) => {
    const files = { 'handler.mjs': crashing.replace('CRASH', `setTimeout(() => globalThis.finish(), 200); ${code}`) };
    const watchdog = await startWatchdog(t, files, { lang: 'node', exec_timeout: '20s' });
    const neighbour = await openCall(`${watchdog.url}/neighbour`, 'n-1');
    const crashed = await fetch(watchdog.url, { method: 'POST', body: 'x', ...withCallId('c-1') });
    assert.equal(crashed.status, 500);
    assert.match(await crashed.text(), /"code":"function_failed"/);
    assert.equal(await neighbour.rest, 'begun finished');
    assert.equal(await watchdog.ended, 1);
    assert.match(watchdog.output.err, /uncaught error, the process will be replaced \[c-1\]: Error: lost\n {4}at .*handler\.mjs/);
    assert.deepEqual(watchdog.told, ['ready', 'unready']);
    assert.match(watchdog.output.out, /GET \/neighbour - 200 OK/);
  });
}

test('once a call has crashed the process takes no new one', async (t) => {
  const files = { 'handler.mjs': crashing.replace('CRASH', 'setTimeout(() => { throw new Error("lost"); });') };
  const watchdog = await startWatchdog(t, files, { lang: 'node', exec_timeout: '20s' });
  const neighbour = await openCall(`${watchdog.url}/neighbour`, 'n-1');
  assert.equal((await fetch(watchdog.url)).status, 500);
  const refused = await fetch(`${watchdog.url}/finish`);
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '1');
  neighbour.response.destroy();
  await neighbour.rest.catch(() => '');
  assert.equal(await watchdog.ended, 1);
});

test('a neighbour that never ends holds a crashed process no longer than exec_timeout', async (t) => {
  const files = { 'handler.mjs': crashing.replace('CRASH', 'setTimeout(() => { throw new Error("lost"); });') };
  const watchdog = await startWatchdog(t, files, { lang: 'node', exec_timeout: '500ms' });
  const neighbour = await openCall(`${watchdog.url}/neighbour`, 'n-1');
  assert.equal((await fetch(watchdog.url)).status, 500);
  await assert.rejects(neighbour.rest);
  assert.equal(await watchdog.ended, 1);
});

test('an error that belongs to no call ends the process all the same', async (t) => {
  const watchdog = await startWatchdog(t, {
    'handler.mjs': 'setTimeout(() => { throw new Error("background"); }, 100); export default (req, res) => res.end();',
  }, { lang: 'node' });
  assert.equal(await watchdog.ended, 1);
  assert.match(watchdog.output.err, /uncaught error, the process will be replaced: Error: background/);
});

test('a web handler\'s lost rejection answers its call, too', async (t) => {
  const watchdog = await startWatchdog(t, {
    'handler.mjs': 'export default async () => { Promise.reject(new Error("lost")); await new Promise(() => {}); }',
  }, { lang: 'web' });
  assert.equal((await fetch(watchdog.url, withCallId('c-2'))).status, 500);
  assert.equal(await watchdog.ended, 1);
  assert.match(watchdog.output.err, /\[c-2\]: Error: lost/);
});

test('a second answer from a timer is logged and costs the process nothing', async (t) => {
  const watchdog = await startWatchdog(t, {
    'handler.mjs': `export default (req, res) => {
      res.end('one');
      setTimeout(() => { setImmediate(() => console.log('after')); res.writeHead(500); }, 10);
    }`,
  }, { lang: 'node' });
  assert.equal(await (await fetch(watchdog.url, withCallId('c-3'))).text(), 'one');
  while (!watchdog.output.out.includes('after')) await once(watchdog.process.stdout ?? watchdog.process, 'data');
  assert.equal(await (await fetch(watchdog.url)).text(), 'one');
  assert.match(watchdog.output.err, /the handler answered twice \[c-3\]: Error \[ERR_HTTP_HEADERS_SENT\]/);
  assert.deepEqual(watchdog.told, ['ready']);
});

test('a handler that answers after its deadline answers nobody and harms nobody', async (t) => {
  const watchdog = await startWatchdog(t, {
    'handler.mjs': `export default (req, res) => {
      if (req.url === '/late') setTimeout(() => { res.writeHead(200); res.end('late'); console.log('answered late'); }, 600);
      else res.end('fine');
    }`,
  }, { lang: 'node', exec_timeout: '200ms' });
  assert.equal((await fetch(`${watchdog.url}/late`, withCallId('c-4'))).status, 504);
  while (!watchdog.output.out.includes('answered late')) await once(watchdog.process.stdout ?? watchdog.process, 'data');
  assert.equal(await (await fetch(watchdog.url)).text(), 'fine');
  assert.match(watchdog.output.err, /the call was ended \[c-4\]: the function did not answer within 0\.2s \(exec_timeout\)/);
});

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

test('SIGTERM lets a call finish and ends the process well, whatever timers the handler keeps', async (t) => {
  const watchdog = await startWatchdog(t, {
    'handler.mjs': `setInterval(() => {}, 1000);
      export default (req, res) => { res.write('begun '); process.once('SIGTERM', () => setTimeout(() => res.end('finished'), 50)); }`,
  }, { lang: 'node' });
  const call = await openCall(watchdog.url, 'd-1');
  watchdog.process.kill('SIGTERM');
  assert.equal(await call.rest, 'begun finished');
  assert.equal(await watchdog.ended, 0);
});

test('what a handler prints is in the log as it is', async (t) => {
  const watchdog = await startWatchdog(t, {
    'handler.ts': 'export default (request: Request): Response => { console.log("out", { a: 1 }); console.error("err"); return new Response(request.method); };',
  }, { lang: 'web' });
  assert.equal(await (await fetch(watchdog.url)).text(), 'GET');
  watchdog.process.kill('SIGTERM');
  assert.equal(await watchdog.ended, 0);
  assert.match(watchdog.output.out, /^out \{ a: 1 \}$/m);
  assert.match(watchdog.output.err, /^err$/m);
});

test('a handler that does not load ends the watchdog with one line that says why', async (t) => {
  const watchdog = await spawnWatchdog(t, { 'handler.mjs': '\nconst = 1;' }, { lang: 'web' });
  assert.equal(await watchdog.ended, 1);
  assert.match(watchdog.output.err, /^\S+handler\.mjs:2: SyntaxError: Unexpected token '='\n$/);
});
