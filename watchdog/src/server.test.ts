import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { answerStopped } from './own-answer.js';
import type { StopReason } from './runner.js';
import { runnerOf, serve } from './testing/serve.js';
import { eventually } from './testing/watchdog-process.js';

/** A call that is held until the test lets it go. */
function gate(): { wait: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const wait = new Promise<void>((resolve) => { open = resolve; });
  return { wait, open };
}

const neverAnswers = runnerOf((_request, response, invocation) => new Promise((resolve) => {
  invocation.onAbort((reason) => {
    answerStopped(response, reason);
    resolve();
  });
}));

test('an unready function makes health, ready and every call a 503 with Retry-After', async (t) => {
  const { server, url } = await serve(t, runnerOf((_, response) => void response.end('ran')));
  server.setReadiness({ ready: false, reason: 'the child died' });
  for (const path of ['/_/health', '/_/ready', '/x']) {
    const response = await fetch(url + path);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('retry-after'), '1');
    assert.equal(response.headers.get('x-openfaas-internal'), 'of-watchdog');
    assert.deepEqual(await response.json(), { error: { code: 'function_unavailable', message: 'the child died' } });
  }
  server.setReadiness({ ready: true });
  assert.equal(await (await fetch(`${url}/_/health`)).text(), 'OK');
});

test('health and ready answer GET only; their neighbours under /_/ are the function\'s', async (t) => {
  const { url } = await serve(t, runnerOf((request, response) => void response.end(request.url)));
  for (const path of ['/_/health', '/_/ready']) assert.equal((await fetch(url + path, { method: 'POST' })).status, 405);
  assert.equal(await (await fetch(`${url}/_/other`)).text(), '/_/other');
  assert.equal(await (await fetch(`${url}/_/healthy`)).text(), '/_/healthy');
});

test('with a ready_path, ready is what the function says there', async (t) => {
  const { url } = await serve(t, runnerOf((request, response) => {
    response.writeHead(request.url === '/up?deep' ? 418 : 200).end();
  }), { readyPath: '/up?deep' });
  assert.equal((await fetch(`${url}/_/ready`)).status, 418);
});

test('above max_inflight a call is answered 429 with Retry-After, ready too; then calls are taken again', async (t) => {
  const held = gate();
  const { server, url, log } = await serve(t, runnerOf(async (_, response) => {
    await held.wait;
    response.end('done');
  }), { maxInflight: 1 });
  const first = fetch(url);
  await eventually(() => server.inFlight === 1);
  for (const path of ['/', '/_/ready']) {
    const refused = await fetch(url + path);
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get('retry-after'), '1');
    assert.equal(refused.headers.get('x-openfaas-internal'), 'of-watchdog');
    assert.match(await refused.text(), /too_many_requests.*max_inflight/);
  }
  assert.equal((await fetch(`${url}/_/health`)).status, 200);
  held.open();
  assert.equal(await (await first).text(), 'done');
  await eventually(() => server.inFlight === 0);
  assert.equal(await (await fetch(url)).text(), 'done');
  await eventually(() => /GET \/ - 429 Too Many Requests/.test(log()));
});

test('a call past exec_timeout is answered 504, naming the limit and the setting', async (t) => {
  const { url } = await serve(t, neverAnswers, { execTimeoutMs: 60 });
  const response = await fetch(url);
  assert.equal(response.status, 504);
  assert.match(await response.text(), /exec_timeout.*0\.06s \(exec_timeout\)/);
});

for (const [asked, execTimeoutMs, message, why] of [
  ['70ms', 30_000, /0\.07s \(X-Timeout\)/, 'a shorter X-Timeout counts'],
  ['70ms', 0, /0\.07s \(X-Timeout\)/, 'and does without an exec_timeout'],
  ['1h', 80, /0\.08s \(exec_timeout\)/, 'a longer one does not'],
  ['soon', 80, /0\.08s \(exec_timeout\)/, 'an unreadable one does not'],
  ['0s', 80, /0\.08s \(exec_timeout\)/, 'nor does zero'],
] as const) {
  test(`X-Timeout ${asked} with exec_timeout ${execTimeoutMs} ms: ${why}`, async (t) => {
    const { url } = await serve(t, neverAnswers, { execTimeoutMs });
    const response = await fetch(url, { headers: { 'X-Timeout': asked } });
    assert.equal(response.status, 504);
    assert.match(await response.text(), message);
  });
}

test('a client that goes away stops its call, by signal and by listener, and is logged as 499', async (t) => {
  const reasons: string[] = [];
  const { server, url, log } = await serve(t, runnerOf((_request, _response, invocation) => new Promise<void>((resolve) => {
    invocation.signal.addEventListener('abort', () => reasons.push(`signal ${(invocation.signal.reason as StopReason).name}`));
    invocation.onAbort((reason) => {
      reasons.push(reason.name);
      resolve();
    });
  })));
  const client = httpRequest(url).end();
  client.on('error', () => undefined);
  await eventually(() => server.inFlight === 1);
  client.destroy();
  await eventually(() => reasons.length === 2);
  assert.deepEqual(reasons, ['signal ClientGone', 'ClientGone']);
  await eventually(() => /GET \/ - 499 Client Closed Request/.test(log()));
});

test('a client that takes no byte of its answer for write_timeout is cut off', async (t) => {
  let closed = false;
  const { url } = await serve(t, runnerOf((_, response) => {
    response.on('close', () => { closed = true; });
    response.end(Buffer.alloc(64 << 20)); // more than the kernel buffers
  }), { writeTimeoutMs: 100 });
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.pause();
  socket.on('error', () => undefined);
  socket.write('GET / HTTP/1.1\r\nHost: f\r\n\r\n');
  await eventually(() => closed);
  socket.destroy();
});

test('a function that takes longer than write_timeout to begin its answer is not cut off', async (t) => {
  const { url } = await serve(t, runnerOf((_, response) => {
    setTimeout(() => response.end('late'), 400);
  }), { writeTimeoutMs: 100 });
  assert.equal(await (await fetch(url)).text(), 'late');
});

test('a runner that throws costs its call a 500 and no other', async (t) => {
  const { url } = await serve(t, runnerOf((request, response) => {
    if (request.url === '/bad') throw new Error('broken runner');
    response.end('fine');
  }));
  const failed = await fetch(`${url}/bad`);
  assert.equal(failed.status, 500);
  assert.match(await failed.text(), /function_failed/);
  assert.equal(await (await fetch(url)).text(), 'fine');
});

for (const [name, answer, length] of [
  ['end(body) alone', (response) => void response.end('héllo'), '6B'],
  ['writeHead with an object', (response) => void response.writeHead(200, { 'Content-Length': 2 }).end('ab'), '2B'],
  ['writeHead with a list', (response) => void response.writeHead(200, 'Fine', ['Content-length', '2', 'X-A', '1']).end('ab'), '2B'],
  ['setHeader', (response) => void response.setHeader('content-length', 2).end('ab'), '2B'],
  ['write in pieces', (response) => {
    response.write('a');
    response.end('b');
  }, '-1B'],
] satisfies [string, (response: import('node:http').ServerResponse) => void, string][]) {
  test(`an answer made by ${name} carries X-Duration-Seconds and is logged with ContentLength ${length}`, async (t) => {
    const { url, log } = await serve(t, runnerOf((_, response) => answer(response)));
    const response = await fetch(url);
    await response.text();
    assert.match(response.headers.get('x-duration-seconds') ?? '', /^0\.\d{6}$/);
    await eventually(() => new RegExp(`GET / - 200 OK - ContentLength: ${length} \\(`).test(log()));
  });
}

test('a drain refuses new calls, says so on the health route, and waits for the one that runs', async (t) => {
  const held = gate();
  const { server, url } = await serve(t, runnerOf(async (_, response) => {
    await held.wait;
    response.end('done');
  }));
  const running = fetch(url);
  await eventually(() => server.inFlight === 1);
  const drained = server.drain();
  for (const path of ['/', '/_/health', '/_/ready']) assert.equal((await fetch(url + path)).status, 503);
  held.open();
  assert.equal(await (await running).text(), 'done');
  assert.equal(await drained, true);
});

test('during healthcheck_interval after the drain began the watchdog is unready and still takes calls', async (t) => {
  const { server, url } = await serve(t, runnerOf((_, response) => void response.end('ran')), { lameDuckMs: 300 });
  const drained = server.drain();
  assert.equal((await fetch(`${url}/_/health`)).status, 503);
  assert.equal(await (await fetch(url)).text(), 'ran');
  assert.equal(await drained, true);
});

test('calls that outlast the drain\'s deadline are stopped with a 503, and named in the log', async (t) => {
  const { server, url, log } = await serve(t, neverAnswers, { execTimeoutMs: 0, writeTimeoutMs: 100 });
  const running = fetch(url, { headers: { 'X-Call-Id': 'c-1' } });
  await eventually(() => server.inFlight === 1);
  assert.equal(await server.drain(), false);
  const response = await running;
  assert.equal(response.status, 503);
  assert.match(await response.text(), /shutting_down/);
  await eventually(() => /1 calls did not finish in time: c-1/.test(log()));
});

test('metrics count answers by code and method, their durations, and the calls in flight', async (t) => {
  const held = gate();
  const { server, url } = await serve(t, runnerOf(async (request, response) => {
    if (request.method === 'PUT') await held.wait;
    response.writeHead(request.method === 'POST' ? 201 : 200).end();
  }));
  const metricsUrl = await server.metrics.listen(0, '127.0.0.1');
  t.after(() => server.metrics.close());
  await fetch(url);
  const first = await (await fetch(metricsUrl)).text();
  assert.match(first, /^http_requests_total\{code="200",method="GET"\} 1$/m);
  await fetch(url, { method: 'POST' });
  const running = fetch(url, { method: 'PUT' });
  await eventually(() => server.inFlight === 1);
  const metrics = await (await fetch(metricsUrl)).text();
  assert.match(metrics, /^http_requests_total\{code="201",method="POST"\} 1$/m);
  assert.match(metrics, /^http_request_duration_seconds_count\{code="200",method="GET"\} 1$/m);
  assert.match(metrics, /^http_requests_in_flight 1$/m);
  held.open();
  await running;
  assert.equal((await fetch(metricsUrl.replace('/metrics', '/other'))).status, 404);
});

test('a head of several hundred kilobytes is read', async (t) => {
  const { url } = await serve(t, runnerOf((request, response) => void response.end(String(request.headers['x-long']?.length))));
  const client = httpRequest(url, { headers: { 'X-Long': 'x'.repeat(500_000) } }).end();
  const [response] = await once(client, 'response') as [IncomingMessage];
  assert.equal(await text(response), '500000');
});
