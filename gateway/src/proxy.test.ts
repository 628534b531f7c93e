import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { request } from 'undici';
import { deferred, refusingUrl, sendRaw, startFixture, startReplica } from './testing/fixture.js';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

async function textOf(req: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of req) text += String(chunk);
  return text;
}

test('a sync call reaches the function with its method, path, query and body as they were sent', async (t) => {
  const { url, deploy } = await startFixture(t);
  const replica = await startReplica(t, (req, res) => {
    void textOf(req).then((body) => { res.end(JSON.stringify({ method: req.method, url: req.url, body })); });
  });
  await deploy('echo', replica);
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
    const body = method === 'GET' || method === 'OPTIONS' ? null : 'péng';
    const answer = await request(`${url}/function/echo//a%2Fb/?x=%20&x=/`, { method, body });
    assert.equal(answer.statusCode, 200);
    assert.deepEqual(await answer.body.json(), { method, url: '//a%2Fb/?x=%20&x=/', body: body ?? '' });
  }
  const head = await request(`${url}/function/echo.openfaas-fn`, { method: 'HEAD' });
  assert.equal(head.statusCode, 200);
  await head.body.dump();
});

test('the function is told the call id, the start time and who called; hop-by-hop headers end at the gateway, both ways', async (t) => {
  const { url, deploy } = await startFixture(t);
  let seen: IncomingMessage['headers'] = {};
  const replica = await startReplica(t, (req, res) => {
    seen = req.headers;
    res.writeHead(418, ['X-Twice', 'a', 'x-twice', 'b', 'Keep-Alive', 'timeout=5', 'Connection', 'x-secret-hop', 'X-Secret-Hop', '1', 'Trailer', 'x']);
    res.end('tea');
  });
  await deploy('pot', replica);
  const answer = await request(`${url}/function/pot/x`, {
    headers: { 'x-forwarded-for': '203.0.113.9', te: 'trailers', 'proxy-authorization': 'Basic eA==', 'x-own': 'kept' },
  });
  assert.equal(answer.statusCode, 418);
  assert.equal(await answer.body.text(), 'tea');
  assert.deepEqual(answer.headers['x-twice'], ['a', 'b']);
  assert.equal(answer.headers['x-secret-hop'], undefined);
  assert.equal(answer.headers['trailer'], undefined);
  assert.match(String(answer.headers['x-call-id']), uuid);
  assert.equal(seen['x-call-id'], answer.headers['x-call-id']);
  assert.match(String(seen['x-start-time']), /^\d{19}$/);
  assert.equal(seen['x-forwarded-for'], '203.0.113.9, 127.0.0.1');
  assert.equal(seen['x-forwarded-host'], new URL(url).host);
  assert.equal(seen['x-forwarded-uri'], '/function/pot/x');
  assert.equal(seen['x-own'], 'kept');
  assert.equal(seen.te, undefined);
  assert.equal(seen['proxy-authorization'], undefined);
});

test('a call id of the caller is echoed when it is a UUID, and replaced when it is not', async (t) => {
  const { url, deploy } = await startFixture(t);
  await deploy('hello', await startReplica(t, (_req, res) => { res.end(); }));
  const own = '0b0c5d5e-8f0b-4b0e-9a0c-3f5d5e8f0b4b';
  const kept = await request(`${url}/function/hello`, { headers: { 'x-call-id': own } });
  assert.equal(kept.headers['x-call-id'], own);
  await kept.body.dump();
  const replaced = await request(`${url}/function/hello`, { headers: { 'x-call-id': '1; drop' } });
  assert.match(String(replaced.headers['x-call-id']), uuid);
  await replaced.body.dump();
});

test('bodies are streamed both ways: the answer begins before the request has ended', async (t) => {
  const { url, deploy } = await startFixture(t);
  await deploy('echo', await startReplica(t, (req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    res.flushHeaders();
    req.pipe(res);
  }));
  const { port } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  socket.setEncoding('utf8');
  socket.write('POST /function/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
  let text = '';
  const until = async (part: string) => { while (!text.includes(part)) text += String((await once(socket, 'data'))[0]); };
  for (const piece of ['one', 'two']) {
    socket.write(`3\r\n${piece}\r\n`);
    await until(piece);
  }
  assert.match(text, /text\/event-stream/);
  socket.write('0\r\n\r\n');
  await until('\r\n0\r\n\r\n');
  socket.destroy();
});

test('64 MiB pass through both ways unharmed', async (t) => {
  const { url, deploy } = await startFixture(t);
  const size = 64 * 1_024 * 1_024;
  await deploy('echo', await startReplica(t, (req, res) => { req.pipe(res); }));
  const answer = await request(`${url}/function/echo`, { method: 'POST', body: Buffer.alloc(size, 'x') });
  let bytes = 0;
  for await (const chunk of answer.body) bytes += (chunk as Buffer).byteLength;
  assert.equal(bytes, size);
});

/** A replica that writes for as long as it is taken from, and how much that was. */
async function startFlood(t: TestContext) {
  const flood = { written: 0, full: deferred<void>(), gone: deferred<void>() };
  const piece = Buffer.alloc(65_536, 'x');
  const url = await startReplica(t, (_req, res) => {
    const write = () => {
      while (!res.destroyed) {
        flood.written += piece.byteLength;
        if (!res.write(piece)) break;
      }
      flood.full.resolve();
    };
    res.on('drain', write).on('close', () => { flood.gone.resolve(); });
    write();
  });
  return { flood, url };
}

test('a caller that reads slowly slows the function', async (t) => {
  const { url, deploy } = await startFixture(t);
  const { flood, url: replica } = await startFlood(t);
  await deploy('flood', replica);
  const abort = new AbortController();
  const answer = await request(`${url}/function/flood`, { signal: abort.signal });
  // Nothing reads: what flows is what the buffers on the way take, and then nothing more.
  let before = -1;
  while (before !== flood.written) {
    before = flood.written;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  assert.ok(flood.written < 64 * 1_024 * 1_024, `${flood.written} bytes went to a caller that reads none`);
  answer.body.on('error', () => undefined);
  abort.abort();
  await flood.gone.promise;
});

test('a caller that never reads is let go after write_timeout, and the function with it', async (t) => {
  const { url, deploy } = await startFixture(t, { write_timeout: '300ms' });
  const { flood, url: replica } = await startFlood(t);
  await deploy('flood', replica);
  const answer = await request(`${url}/function/flood`);
  answer.body.on('error', () => undefined);
  await flood.gone.promise;
});

test('an upload that breaks off while its request waits for a replica harms nobody', async (t) => {
  const { url, deploy, provider } = await startFixture(t);
  await deploy('later');
  const { port } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  socket.write('POST /function/later HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
  const metrics = async () => (await request(`${url}/metrics`)).body.text();
  const inFlight = async (count: number) => { while (!(await metrics()).includes(`invocation_inflight{function_name="later.openfaas-fn"} ${count}`)) await new Promise(setImmediate); };
  await inFlight(1);
  socket.destroy();
  await inFlight(0);
  provider.setEndpoints({ name: 'later', namespace: 'openfaas-fn' }, [{ replica: 'later-0', url: await startReplica(t, (_req, res) => { res.end('here'); }) }]);
  assert.equal(await (await request(`${url}/function/later`)).body.text(), 'here');
});

test('a caller that stops in the middle of its body gets a 504 at the deadline', async (t) => {
  const { url, deploy } = await startFixture(t, { upstream_timeout: '300ms' });
  await deploy('echo', await startReplica(t, (req, res) => { req.on('end', () => res.end()); req.resume(); }));
  const text = await sendRaw(url, 'POST /function/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', (sofar) => sofar.includes('upstream_timeout'));
  assert.match(text, /^HTTP\/1.1 504 /);
});

test('a streamed body reaches the replica that does not refuse', async (t) => {
  const { url, deploy } = await startFixture(t);
  await deploy('echo', await refusingUrl(), await startReplica(t, (req, res) => { req.pipe(res); }));
  for (let i = 0; i < 4; i++) {
    const answer = await request(`${url}/function/echo`, { method: 'POST', body: Buffer.alloc(100_000, 'x') });
    assert.equal((await answer.body.text()).length, 100_000);
  }
});

test('a bad chunk after the answer has begun breaks the connection and puts nothing into the answer', async (t) => {
  const { url, deploy } = await startFixture(t);
  await deploy('echo', await startReplica(t, (req, res) => { req.pipe(res); }));
  const { port } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1').setEncoding('utf8');
  socket.write('POST /function/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
  let text = '';
  while (!text.includes('abc')) text += String((await once(socket, 'data'))[0]);
  socket.on('data', (more) => { text += String(more); }).on('error', () => undefined);
  socket.write('no chunk\r\n');
  await once(socket, 'close');
  assert.equal(text.match(/HTTP\/1.1/g)?.length, 1, text);
});

test('a function that answers early and reads no further does not cost the caller the answer', async (t) => {
  const { url, deploy } = await startFixture(t);
  await deploy('full', await startReplica(t, (_req, res) => {
    res.writeHead(413);
    res.end('enough');
  }));
  const head = `POST /function/full HTTP/1.1\r\nHost: x\r\nContent-Length: ${8 * 1_024 * 1_024}\r\n\r\n`;
  const text = await sendRaw(url, Buffer.concat([Buffer.from(head), Buffer.alloc(1_024 * 1_024)]), (sofar) => sofar.includes('enough'));
  assert.match(text, /^HTTP\/1.1 413 /);
  assert.ok(text.includes('enough'), text);
});

test('when the caller goes away, the function is told by its connection', async (t) => {
  const { url, deploy } = await startFixture(t);
  const arrived = deferred<void>();
  const gone = deferred<void>();
  await deploy('slow', await startReplica(t, (_req, res) => {
    res.on('close', () => { gone.resolve(); });
    arrived.resolve();
  }));
  const abort = new AbortController();
  const call = request(`${url}/function/slow`, { signal: abort.signal });
  await arrived.promise;
  abort.abort();
  await assert.rejects(call);
  await gone.promise;
});

test('a function that is unknown, a name that is none and an unanswered deadline get 404, 400 and 504, with a call id', async (t) => {
  const { url, deploy } = await startFixture(t, { upstream_timeout: '300ms' });
  await deploy('mute', await startReplica(t, () => { /* never answers */ }));
  await deploy('absent');
  for (const [path, status, code] of [
    ['/function/nobody', 404, 'function_not_found'], ['/function/h%20x', 400, 'bad_function_name'],
    ['/function/mute', 504, 'upstream_timeout'], ['/function/absent', 504, 'no_replica_ready'],
  ] as const) {
    const answer = await request(`${url}${path}`);
    const body = await answer.body.json() as { error: { code: string; message: string } };
    assert.equal(answer.statusCode, status, path);
    assert.equal(body.error.code, code);
    assert.ok(body.error.message.length > 20, body.error.message);
    assert.match(String(answer.headers['x-call-id']), uuid);
    assert.equal(answer.headers['x-openfaas-internal'], 'gateway');
  }
});

test('a replica that dies before it answers gives 502, and one that dies within its answer breaks the connection', async (t) => {
  const { url, deploy } = await startFixture(t);
  await deploy('before', await startReplica(t, (req) => { req.socket.destroy(); }));
  await deploy('within', await startReplica(t, (req, res) => {
    res.writeHead(200, { 'Content-Length': '10' });
    res.write('half');
    setImmediate(() => req.socket.destroy());
  }));
  const before = await request(`${url}/function/before`, { method: 'POST', body: 'x' });
  assert.equal(before.statusCode, 502);
  await before.body.dump();
  const within = await request(`${url}/function/within`);
  await assert.rejects(within.body.text());
});

test('a replica that refuses is passed over: another one gets the request', async (t) => {
  const { url, deploy } = await startFixture(t);
  const replica = await startReplica(t, (req, res) => { req.pipe(res); });
  await deploy('echo', await refusingUrl(), replica, await refusingUrl());
  for (let i = 0; i < 6; i++) {
    const answer = await request(`${url}/function/echo`, { method: 'POST', body: `call ${i}` });
    assert.equal(await answer.body.text(), `call ${i}`);
  }
});

test('requests wait for a replica that is starting, and go on as soon as the provider tells of it', async (t) => {
  const { url, deploy, provider } = await startFixture(t);
  await deploy('later');
  const calls = Array.from({ length: 20 }, () => request(`${url}/function/later`, { method: 'POST', body: 'x' }));
  const replica = await startReplica(t, (req, res) => { req.pipe(res); });
  provider.setEndpoints({ name: 'later', namespace: 'openfaas-fn' }, [{ replica: 'later-0', url: replica }]);
  for (const answer of await Promise.all(calls)) assert.equal(await answer.body.text(), 'x');
});

test('the replica with the fewest requests in flight is taken', async (t) => {
  const { url, deploy } = await startFixture(t);
  const stuck: (() => void)[] = [];
  let slow = 0, quick = 0;
  await deploy('mixed',
    await startReplica(t, (_req, res) => { slow++; stuck.push(() => res.end()); }),
    await startReplica(t, (_req, res) => { quick++; res.end(); }));
  const first = [request(`${url}/function/mixed`), request(`${url}/function/mixed`)];
  await Promise.race(first);
  for (let i = 0; i < 10; i++) await (await request(`${url}/function/mixed`)).body.dump();
  assert.equal(slow, 1);
  assert.equal(quick, 11);
  for (const release of stuck) release();
  for (const answer of await Promise.all(first)) await answer.body.dump();
});
