import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { Call, Queue } from '@postern/queue';
import { QueueFull, QueueUnavailable } from '@postern/queue';
import { request } from 'undici';
import { deferred, namespace, sendRaw, startFixture, startReplica } from './testing/fixture.js';

const lane = (name: string) => ({ queue: 'default', namespace, function: name });

/** Takes the one call a lane holds. */
async function take(queue: Queue, name: string): Promise<Call> {
  const taken = deferred<Call>();
  const consumer = await queue.consume(lane(name), { maxInFlight: 1 }, async ({ item }) => {
    taken.resolve(item);
    return { kind: 'done' };
  });
  const call = await taken.promise;
  await consumer.stop(10_000);
  return call;
}

async function depth(queue: Queue): Promise<number> {
  return (await queue.stats()).lanes.reduce((sum, each) => sum + each.depth, 0);
}

test('202 with an empty body and a call id, once the call is stored as it was sent', async (t) => {
  const { url, deploy, queue } = await startFixture(t);
  await deploy('wordcount');
  const answer = await request(`${url}/async-function/wordcount/a%2Fb?x=1&x=2`, {
    method: 'POST', body: 'one two three',
    headers: { 'content-type': 'text/plain', 'x-callback-url': 'http://127.0.0.1:9/cb?k=v', 'x-own': 'mine' },
  });
  assert.equal(answer.statusCode, 202);
  assert.equal(await answer.body.text(), '');
  const call = await take(queue, 'wordcount');
  assert.equal(call.id, answer.headers['x-call-id']);
  assert.equal(call.acceptedNs, answer.headers['x-start-time']);
  assert.equal(call.path, '/a%2Fb');
  assert.equal(call.query, 'x=1&x=2');
  assert.equal(call.callbackUrl, 'http://127.0.0.1:9/cb?k=v');
  assert.equal(Buffer.from(call.body).toString(), 'one two three');
  const headers = new Map(call.headers.map(([name, value]) => [name.toLowerCase(), value]));
  assert.equal(headers.get('x-own'), 'mine');
  assert.equal(headers.get('content-type'), 'text/plain');
  assert.equal(headers.get('x-forwarded-uri'), '/async-function/wordcount/a%2Fb?x=1&x=2');
  assert.equal(headers.has('content-length'), false);
});

test('headers that would steer broker or worker are not stored', async (t) => {
  const { url, deploy, queue } = await startFixture(t);
  await deploy('wordcount');
  const answer = await request(`${url}/async-function/wordcount`, {
    method: 'POST', body: 'x', headers: { 'nats-msg-id': 'same', 'Nats-Expected-Stream': 'other', 'postern-method': 'DELETE', 'POSTERN-Path': '/evil' },
  });
  assert.equal(answer.statusCode, 202);
  const call = await take(queue, 'wordcount');
  assert.equal(call.method, 'POST');
  assert.equal(call.path, '');
  assert.deepEqual(call.headers.filter(([name]) => /^(nats|postern)-/i.test(name)), []);
});

for (const [what, path, init, status, code] of [
  ['an unknown function', '/async-function/nobody', { method: 'POST' }, 404, 'function_not_found'],
  ['a GET', '/async-function/fn', { method: 'GET' }, 405, 'method_not_allowed'],
  ['a PUT', '/async-function/fn', { method: 'PUT', body: 'x' }, 405, 'method_not_allowed'],
  ['a name that is none', '/async-function/f%20n', { method: 'POST' }, 400, 'bad_function_name'],
  ['a relative callback', '/async-function/fn', { method: 'POST', headers: { 'x-callback-url': 'not-a-url' } }, 400, 'bad_callback_url'],
  ['a callback by another scheme', '/async-function/fn', { method: 'POST', headers: { 'x-callback-url': 'ftp://example.com/' } }, 400, 'bad_callback_url'],
  ['a callback into a private network', '/async-function/fn', { method: 'POST', headers: { 'x-callback-url': 'http://10.0.0.1/' } }, 400, 'bad_callback_url'],
  ['a callback to the metadata service', '/async-function/fn', { method: 'POST', headers: { 'x-callback-url': 'http://169.254.169.254/' } }, 400, 'bad_callback_url'],
  ['a body over the limit', '/async-function/fn', { method: 'POST', body: 'x'.repeat(1_001) }, 413, 'body_too_large'],
] as const) {
  test(`${what} gets ${status} ${code} and leaves nothing in the queue`, async (t) => {
    const { url, deploy, queue } = await startFixture(t, { max_body_bytes: '1000' });
    await deploy('fn');
    const answer = await request(`${url}${path}`, init);
    const { error } = await answer.body.json() as { error: { code: string; message: string } };
    assert.equal(answer.statusCode, status);
    assert.equal(error.code, code);
    assert.ok(answer.headers['x-call-id']);
    assert.equal(await depth(queue), 0);
  });
}

test('two callback URLs are refused', async (t) => {
  const { url, deploy, queue } = await startFixture(t);
  await deploy('fn');
  const answer = await request(`${url}/async-function/fn`, { method: 'POST', headers: ['x-callback-url', 'http://127.0.0.1:1/', 'x-callback-url', 'http://127.0.0.1:2/'] });
  assert.equal(answer.statusCode, 400);
  await answer.body.dump();
  assert.equal(await depth(queue), 0);
});

test('a body at the limit is taken; one announced over it is refused before it is sent; one in chunks as it passes it', async (t) => {
  const { url, deploy, queue } = await startFixture(t, { max_body_bytes: '1000' });
  await deploy('fn');
  const exact = await request(`${url}/async-function/fn`, { method: 'POST', body: 'x'.repeat(1_000) });
  assert.equal(exact.statusCode, 202);
  const announced = await sendRaw(url, 'POST /async-function/fn HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n', (text) => text.includes('body_too_large'));
  assert.match(announced, /^HTTP\/1.1 413 /);
  const chunked = await sendRaw(url, `POST /async-function/fn HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${'64\r\n' + 'x'.repeat(100) + '\r\n'}`.repeat(1)
    + `${'64\r\n' + 'x'.repeat(100) + '\r\n'}`.repeat(10), (text) => text.includes('body_too_large'));
  assert.match(chunked, /^HTTP\/1.1 413 /);
  assert.equal(await depth(queue), 1);
});

test('a body that breaks off is not queued', async (t) => {
  const { url, deploy, queue, gateway } = await startFixture(t);
  await deploy('fn');
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await new Promise<void>((resolve) => { socket.write('POST /async-function/fn HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf', () => { resolve(); }); });
  socket.destroy();
  const answer = await request(`${url}/async-function/fn`, { method: 'POST', body: 'whole' });
  assert.equal(answer.statusCode, 202);
  // Closed, it has dealt with everything that ever reached it.
  await gateway.close(10_000);
  assert.equal(await depth(queue), 1);
});

for (const [error, status] of [[new QueueUnavailable('the broker is away'), 503], [new QueueFull('at its limit'), 429]] as const) {
  test(`${error.name} is ${status} with Retry-After, and sync calls go on`, async (t) => {
    const { url, deploy } = await startFixture(t, {}, (queue) => new Proxy(queue, {
      get: (target, key) => key === 'publish' ? () => Promise.reject(error) : Reflect.get(target, key, target) as unknown,
    }));
    await deploy('fn', await startReplica(t, (_req, res) => { res.end('ok'); }));
    const refused = await request(`${url}/async-function/fn`, { method: 'POST', body: 'x' });
    assert.equal(refused.statusCode, status);
    assert.match(String(refused.headers['retry-after']), /^\d+$/);
    await refused.body.dump();
    const sync = await request(`${url}/function/fn`);
    assert.equal(await sync.body.text(), 'ok');
  });
}

test('while the broker is known to be away, a call is refused at once, before its body is read', async (t) => {
  const { url, deploy } = await startFixture(t, {}, (queue) => new Proxy(queue, {
    get: (target, key) => key === 'ready' ? false : Reflect.get(target, key, target) as unknown,
  }));
  await deploy('fn');
  const text = await sendRaw(url, 'POST /async-function/fn HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n', (sofar) => sofar.includes('queue_unavailable'));
  assert.match(text, /^HTTP\/1.1 503 /);
  assert.match(text, /Retry-After: \d+/);
});

test('headers too many for a queued call are refused, though a sync call may have them', async (t) => {
  const { url, deploy, queue } = await startFixture(t);
  await deploy('fn', await startReplica(t, (_req, res) => { res.end('ok'); }));
  const headers = { 'x-much': 'x'.repeat(34_000) };
  const refused = await request(`${url}/async-function/fn`, { method: 'POST', headers });
  assert.equal(refused.statusCode, 431);
  await refused.body.dump();
  assert.equal(await depth(queue), 0);
  assert.equal(await (await request(`${url}/function/fn`, { headers })).body.text(), 'ok');
});

test('a body refused unread and never sent does not keep its connection', async (t) => {
  const { url, deploy } = await startFixture(t, { max_body_bytes: '1000' });
  await deploy('fn');
  // Ends only when the gateway closes.
  const text = await sendRaw(url, 'POST /async-function/fn HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n');
  assert.match(text, /^HTTP\/1.1 413 /);
});

test('OPTIONS is answered without a call', async (t) => {
  const { url, queue } = await startFixture(t);
  const answer = await request(`${url}/async-function/anything`, { method: 'OPTIONS' });
  assert.equal(answer.statusCode, 204);
  assert.equal(answer.headers.allow, 'POST, OPTIONS');
  assert.equal(await depth(queue), 0);
});
