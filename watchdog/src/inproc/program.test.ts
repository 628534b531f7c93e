import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { openCall, spawnWatchdog, startWatchdog, withCallId } from './testing/start-watchdog.js';

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
