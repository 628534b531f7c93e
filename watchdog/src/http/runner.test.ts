import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { eventually, isAlive, launchWatchdog, startWatchdog, temporaryFile, type ReadyWatchdog, type Scope } from '../testing/watchdog-process.js';

/** The function of these tests: an HTTP server that does what the path says. */
const functionSource = `
import { createServer } from 'node:http';
const sleepers = new Set();
let written = 0;
const routes = {
  '/pid': (q, s) => s.end(String(process.pid)),
  '/echo': (q, s) => { s.writeHead(200, { 'Content-Type': 'application/x-echo' }); q.pipe(s); },
  '/raw': (q, s) => s.end(JSON.stringify({ method: q.method, url: q.url, headers: q.rawHeaders })),
  '/answer': (q, s) => { s.writeHead(418, 'Short and Stout', ['X-CASE', '1', 'x-case', '2', 'Set-Cookie', 'a', 'Set-Cookie', 'b', 'Connection', 'x-hop', 'X-Hop', 'gone']); s.end('tea'); },
  '/early': (q, s) => { s.writeEarlyHints({ link: '</a>; rel=preload' }); s.end('after hints'); },
  '/exit': () => process.exit(Number(process.env.exit_status ?? 0)),
  '/cut': (q, s) => { s.writeHead(200, { 'Content-Length': 100 }); s.write('part'); setImmediate(() => s.destroy()); },
  '/hang': (q, s) => { sleepers.add(q); q.on('close', () => { if (!s.writableEnded) console.log('aborted ' + q.url); }); },
  '/slow': (q, s) => setTimeout(() => s.end('slow but whole'), 700),
  '/events': (q, s) => { s.writeHead(200, { 'Content-Type': 'text/event-stream' }); s.flushHeaders(); q.on('data', (d) => s.write('data: ' + d + '\\n\\n')); q.on('end', () => s.end()); },
  '/large': (q, s) => { written = 0; const more = () => { while (written < 400) { written++; if (!s.write(Buffer.alloc(1 << 16, written))) { s.once('drain', more); return; } } s.end(); }; more(); },
  '/written': (q, s) => s.end(String(written)),
  '/log': (q, s) => { console.log('said on stdout'); console.error('said on stderr'); s.end('said'); },
};
createServer((q, s) => (routes[q.url.split('?')[0]] ?? ((q, s) => s.writeHead(404).end()))(q, s)).listen(process.env.PORT, '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
`;

async function startFunction(t: Scope, settings: Record<string, string> = {}): Promise<ReadyWatchdog> {
  const file = await temporaryFile(t, 'function.mjs', functionSource);
  return startWatchdog(t, { mode: 'http', fprocess: `node '${file}'`, ...settings });
}

/** One function for all tests that leave it as it was. */
const shared = await startFunction({ after });
const impatient = await startFunction({ after }, { exec_timeout: '300ms', prefix_logs: 'false' });

async function get(url: string, options: Parameters<typeof httpRequest>[1] = {}): Promise<IncomingMessage> {
  const request = httpRequest(url, options).end();
  const [response] = await once(request, 'response') as [IncomingMessage];
  return response;
}

test('requests and answers pass unchanged: path, query, header case and repetitions, status and reason', async () => {
  const { url } = shared;
  const asked = JSON.parse(await text(await get(`${url}/raw?a=%20b&&c`, {
    method: 'DELETE', headers: ['Host', 'f.example', 'X-Foo', '1', 'x-foo', '2', 'Keep-Alive', 'timeout=77', 'X-Latin', 'é'],
  }))) as { method: string; url: string; headers: string[] };
  assert.equal(asked.method, 'DELETE');
  assert.equal(asked.url, '/raw?a=%20b&&c');
  const joined = asked.headers.join('|');
  assert.match(joined, /X-Foo\|1\|x-foo\|2/);
  assert.match(joined, /host\|f\.example/i);
  assert.match(joined, /X-Latin\|é/);
  assert.doesNotMatch(joined, /timeout=77/);

  const answered = await get(`${url}/answer`);
  assert.equal(answered.statusCode, 418);
  assert.equal(answered.statusMessage, 'Short and Stout');
  assert.match(answered.rawHeaders.join('|'), /X-CASE\|1\|x-case\|2\|Set-Cookie\|a\|Set-Cookie\|b/);
  assert.equal(answered.headers['x-hop'], undefined);
  assert.match(String(answered.headers['x-duration-seconds']), /^\d/);
  assert.equal(await text(answered), 'tea');

  assert.equal(await text(await get(`${url}/early`)), 'after hints');
  assert.equal((await get(`${url}/raw`, { method: 'HEAD' })).statusCode, 200);
  assert.equal((await get(url, { method: 'OPTIONS', path: '*' })).statusCode, 400);
});

test('bodies of every framing arrive byte for byte, buffer_http giving them a length', async (t) => {
  const buffering = await startFunction(t, { buffer_http: 'true' });
  for (const { url } of [shared, buffering]) {
    for (const [size, chunked] of [[0, false], [5, false], [5, true], [300_000, false], [300_000, true]] as const) {
      const body = Buffer.alloc(size, 'a\nb\u00e9');
      const request = httpRequest(`${url}/echo`, { method: 'POST', headers: chunked ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': size } });
      request.end(body);
      const [response] = await once(request, 'response') as [IncomingMessage];
      assert.equal(response.headers['content-type'], 'application/x-echo');
      assert.equal((await text(response)), body.toString());
    }
    const request = httpRequest(`${url}/raw`, { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' } });
    request.write('123');
    setTimeout(() => request.end('45'), 50);
    const [response] = await once(request, 'response') as [IncomingMessage];
    assert.match(await text(response), url === buffering.url ? /content-length","5"/i : /transfer-encoding","chunked"/i);
  }
});

test('a body that buffer_http cannot hold in memory is answered 413', async (t) => {
  const { url } = await startFunction(t, { buffer_http: 'true' });
  const request = httpRequest(`${url}/echo`, { method: 'POST', headers: { 'Content-Length': 300_000_000 } });
  request.on('error', () => undefined).write('begun');
  const [response] = await once(request, 'response') as [IncomingMessage];
  assert.equal(response.statusCode, 413);
  assert.match(await text(response), /the body is larger than 268435456 bytes/);
  request.destroy();
});

test('server-sent events and the request\'s body stream at the same time, unbuffered', async () => {
  const { url } = shared;
  const request = httpRequest(`${url}/events`, { method: 'POST' });
  request.write('one');
  const [response] = await once(request, 'response') as [IncomingMessage];
  assert.equal(String((await once(response, 'data') as [Buffer])[0]), 'data: one\n\n');
  request.write('two');
  assert.equal(String((await once(response, 'data') as [Buffer])[0]), 'data: two\n\n');
  request.end();
  await once(response.resume(), 'end');
});

test('a client that reads slowly slows the function, and gets all of it', async () => {
  const { url } = shared;
  const response = await get(`${url}/large`); // and read nothing of it
  let before = -1;
  const stoppedAt = await eventually(async () => {
    const now = Number(await text(await get(`${url}/written`)));
    const still = now === before;
    before = now;
    return still && now;
  });
  assert.ok(stoppedAt < 400, '25 MB do not fit into the buffers on the way');
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) bytes += chunk.length;
  assert.equal(bytes, 400 << 16);
});

test('the function\'s output is in the log, prefixed if wanted, and never in an answer', async () => {
  assert.equal(await text(await get(`${shared.url}/log`)), 'said');
  await eventually(() => /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d stdout: said on stdout$/m.test(shared.output()) && /stderr: said on stderr/.test(shared.output()));
  assert.equal(await text(await get(`${impatient.url}/log`)), 'said');
  await eventually(() => /^said on stdout$/m.test(impatient.output()) && /^said on stderr$/m.test(impatient.output()));
});

test('past exec_timeout a call is answered 504 and the work is stopped', async () => {
  const { url, output } = impatient;
  const response = await get(`${url}/hang?late`);
  assert.equal(response.statusCode, 504);
  assert.equal(response.headers['x-openfaas-internal'], 'of-watchdog');
  await text(response);
  await eventually(() => /aborted \/hang\?late/.test(output()));
});

test('past exec_timeout an upload that still streams is answered 504 too', async () => {
  const { url } = impatient;
  const request = httpRequest(`${url}/hang`, { method: 'POST' });
  request.on('error', () => undefined);
  request.write('begun');
  const [response] = await once(request, 'response') as [IncomingMessage];
  assert.equal(response.statusCode, 504);
  request.destroy();
});

test('past exec_timeout an answer that has begun is broken off, events too', async () => {
  const { url } = impatient;
  const request = httpRequest(`${url}/events`, { method: 'POST', headers: { Accept: 'text/event-stream' } });
  request.on('error', () => undefined);
  request.write('begun');
  const [response] = await once(request, 'response') as [IncomingMessage];
  assert.equal(response.statusCode, 200);
  await assert.rejects(text(response));
});

test('a client that goes away stops the work', async () => {
  const { url, output } = shared;
  const request = httpRequest(`${url}/hang?left`).end();
  request.on('error', () => undefined);
  await once(request, 'finish');
  await eventually(async () => (await (await fetch(`${url}/pid`)).text()) !== '');
  request.destroy();
  await eventually(() => /aborted \/hang\?left/.test(output()));
});

test('an answer that the function breaks off arrives broken', async () => {
  const { url, output } = shared;
  await assert.rejects(text(await get(`${url}/cut`, { headers: { 'X-Call-Id': 'c-7' } })));
  await eventually(() => /broke the connection within its answer.*\[c-7\]/.test(output()));
});

for (const status of ['0', '3']) {
  test(`a child that ends with status ${status} costs its call a 500, makes the watchdog unready, and is replaced`, async (t) => {
    const { url, messages, output } = await startFunction(t, { exit_status: status });
    const before = Number(await text(await get(`${url}/pid`)));
    const lost = await get(`${url}/exit`);
    assert.equal(lost.statusCode, 500);
    assert.match(await text(lost), /function_failed/);
    await eventually(() => messages.some((message) => message.type === 'unready' && message.reason === `the function's process ended: exit status ${status}`));
    await eventually(async () => (await get(`${url}/_/health`)).statusCode === 200);
    const after = Number(await text(await get(`${url}/pid`)));
    assert.notEqual(after, before);
    assert.deepEqual(messages.map((message) => message.type), ['ready', 'unready', 'ready']);
    assert.match(output(), new RegExp(`exit status ${status}; starting it again in \\d+ ms`));
  });
}

test('until the child answers, health and calls are 503; a child that dies before that is replaced', async (t) => {
  const marker = await temporaryFile(t, 'marker', '');
  const file = await temporaryFile(t, 'function.mjs', `
    import { existsSync, rmSync } from 'node:fs';
    import { createServer } from 'node:http';
    if (existsSync(${JSON.stringify(marker)})) { rmSync(${JSON.stringify(marker)}); process.exit(1); }
    createServer((q, s) => s.writeHead(q.url === '/up' && process.uptime() < 1 ? 503 : 200).end('late')).listen(process.env.http_port, '127.0.0.1');
  `);
  const watchdog = launchWatchdog(t, { mode: 'http', fprocess: `node ${file}`, ready_path: '/up', port: '0' });
  const unready = await eventually(() => watchdog.messages.find((message) => message.type === 'unready'));
  assert.equal(unready.reason, `the function's process ended before it answered: exit status 1`);
  const ready = await eventually(() => watchdog.messages.find((message) => message.type === 'ready'));
  assert.equal((await fetch(`${ready.url}/_/ready`)).status, 200);
  assert.equal(await (await fetch(ready.url)).text(), 'late');
});

test('an upstream_url with a path is where the function\'s paths begin', async (t) => {
  const file = await temporaryFile(t, 'function.mjs', `
    import { createServer } from 'node:http';
    createServer((q, s) => s.end(q.url + ' ' + process.env.PORT)).listen(${String(20_000 + (process.pid % 10_000))}, '127.0.0.1');
  `);
  const { url } = await startWatchdog(t, { mode: 'http', fprocess: `node ${file}`, upstream_url: `http://127.0.0.1:${20_000 + (process.pid % 10_000)}/base/` });
  assert.equal(await (await fetch(`${url}/x?y`)).text(), '/base/x?y undefined');
});

test('SIGTERM: a call that runs is finished, new ones are refused, the child ends, exit status 0', async (t) => {
  const { url, kill, ended, messages } = await startFunction(t);
  const child = Number(await text(await get(`${url}/pid`)));
  const slow = get(`${url}/slow`);
  const other = fetch(`${url}/hang`, { headers: { 'X-Timeout': '1s' } });
  await eventually(async () => (await get(`${url}/pid`)).statusCode === 200);
  kill('SIGTERM');
  await eventually(() => messages.some((message) => message.type === 'unready'));
  assert.equal((await get(`${url}/_/health`)).statusCode, 503);
  assert.equal((await get(`${url}/pid`)).statusCode, 503);
  assert.ok(await isAlive(child));
  assert.equal(await text(await slow), 'slow but whole');
  assert.equal((await other).status, 504);
  assert.deepEqual(await ended, { code: 0, signal: null });
  assert.equal(await isAlive(child), false);
});

test('a second SIGTERM ends the watchdog at once, with its child and a status that is not 0', async (t) => {
  const { url, kill, ended, messages } = await startFunction(t);
  const child = Number(await text(await get(`${url}/pid`)));
  const hanging = assert.rejects(fetch(`${url}/hang`));
  await eventually(async () => (await get(`${url}/pid`)).statusCode === 200);
  kill('SIGTERM');
  await eventually(() => messages.some((message) => message.type === 'unready'));
  kill('SIGTERM');
  assert.equal((await ended).code, 1);
  await hanging;
  await eventually(async () => !(await isAlive(child)));
});
