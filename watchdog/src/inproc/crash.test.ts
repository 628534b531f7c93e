import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { openCall, startWatchdog, withCallId } from './testing/start-watchdog.js';

/** A call whose body comes by itself, in an event of its own. */
async function sendAfterHead(url: string, callId: string): Promise<IncomingMessage> {
  const headers = { 'x-call-id': callId, expect: '100-continue' };
  const sending = request(url, { method: 'POST', headers, agent: false });
  sending.on('continue', () => sending.end('x')).flushHeaders();
  const [response] = await once(sending, 'response') as [IncomingMessage];
  return response;
}

const crashes: readonly (readonly [where: string, code: string])[] = [
  ['a timer', 'setTimeout(() => { throw new Error("lost"); });'],
  ['a promise nobody awaits', 'Promise.reject(new Error("lost"));'],
  ['a listener of the request', 'req.on("data", () => { throw new Error("lost"); });'],
  ['a listener of the response', 'res.on("pipe", () => { throw new Error("lost"); }); setImmediate(() => new PassThrough().pipe(res));'],
  ['a file\'s callback', 'readFile("/dev/null", () => { throw new Error("lost"); });'],
];
const crashing = `import { readFile } from 'node:fs'; import { PassThrough } from 'node:stream';
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
    const crashed = await sendAfterHead(watchdog.url, 'c-1');
    assert.equal(crashed.statusCode, 500);
    assert.equal(crashed.headers['x-openfaas-internal'], 'of-watchdog');
    crashed.resume();
    assert.equal(await neighbour.rest, 'begun finished');
    assert.equal(await watchdog.ended, 1);
    assert.match(watchdog.output.err, /uncaught error, the process will be replaced \[c-1\]: Error: lost\n {4}at .*handler\.mjs/);
    assert.deepEqual(watchdog.told, ['ready', 'final']);
    assert.match(watchdog.output.out, /GET \/neighbour - 200 OK/);
  });
}

for (const [where, handler] of [
  ['at once', '(req, res) => { EXIT; res.end("went on"); }'],
  ['after its first await', 'async (req, res) => { await null; try { EXIT; } finally { res.end("went on"); } }'],
  ['in a timer', '(req, res) => { setTimeout(() => { EXIT; res.end("went on"); }); }'],
  ['in an Express app', 'express().use((req, res) => { EXIT; res.end("went on"); })'],
] as const) {
  test(`process.exit ${where} answers its own call 500, lets the neighbour finish, and ends the process with its code`, async (t) => {
    const ending = `(${handler.replace('EXIT', 'setTimeout(() => globalThis.finish(), 200); process.exit(3)')})`;
    const files = { 'handler.mjs': `import express from 'express'; ${crashing.replace('CRASH', `return ${ending}(req, res);`)}` };
    const watchdog = await startWatchdog(t, files, { lang: 'node', exec_timeout: '20s' });
    const neighbour = await openCall(`${watchdog.url}/neighbour`, 'n-1');
    const ended = await sendAfterHead(watchdog.url, 'c-1');
    assert.equal(ended.statusCode, 500);
    ended.resume();
    assert.equal(await neighbour.rest, 'begun finished');
    assert.equal(await watchdog.ended, 3);
    assert.match(watchdog.output.err, /the process will be replaced \[c-1\]: HandlerExit: the handler called process\.exit\(3\)\n {4}at .*handler\.mjs/s);
    assert.deepEqual(watchdog.told, ['ready', 'final']);
  });
}

test('a second signal ends a process whose handler is in the way of process.exit', async (t) => {
  const watchdog = await startWatchdog(t, { 'handler.mjs': 'export default (req, res) => void res.write("begun ")' }, { lang: 'node' });
  const call = await openCall(watchdog.url, 'c-1');
  watchdog.process.kill('SIGTERM');
  await once(watchdog.process, 'message');
  watchdog.process.kill('SIGTERM');
  await assert.rejects(call.rest);
  assert.equal(await watchdog.ended, 1);
});

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
