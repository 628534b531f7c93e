/** The two ways to a gateway in another process: running functions, and knowing which there are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnswerTooLarge, Unreachable } from './errors.js';
import { functionListOverHttp } from './function-list-over-http.js';
import type { DeployedFunction } from './function-list.js';
import { invokeOverHttp } from './invoke-over-http.js';
import { makeCall, recordingLog, silent, startServer, until } from './testing/fixtures.js';

const signal = new AbortController().signal;

test('a call is sent to /function/NAME.NAMESPACE with its method, path and query to the byte', async () => {
  const server = await startServer((res) => { res.writeHead(200, { 'X-Own': '1' }).end('out'); });
  const gateway = invokeOverHttp({ gatewayUrl: `${server.url}/prefix`, upstreamTimeoutMs: 30_000, maxBodyBytes: 10 });
  try {
    const call = makeCall({ method: 'PUT', path: '/a%2Fb//c', query: 'x=%20&y', headers: [['Content-Type', 'text/plain']] });
    const answer = await gateway.invoke(call, 3, signal);
    assert.deepEqual([answer.status, Buffer.from(answer.body).toString()], [200, 'out']);
    await gateway.invoke(makeCall({ body: new Uint8Array() }), 1, signal);
    const [first, second] = server.seen;
    assert.deepEqual([first?.method, first?.url, first?.body.toString()], ['PUT', '/prefix/function/wordcount.openfaas-fn/a%2Fb//c?x=%20&y', 'a b c']);
    assert.deepEqual([first?.headers['x-attempt'], first?.headers['x-call-id'], first?.headers['content-type']], ['3', call.id, 'text/plain']);
    assert.deepEqual([second?.url, second?.body.byteLength, second?.headers['content-length']], ['/prefix/function/wordcount.openfaas-fn', 0, '0']);
  } finally {
    await gateway.close();
    await server.close();
  }
});

test('an answer over the limit and a gateway that is away are told apart', async () => {
  const server = await startServer((res) => { res.end('x'.repeat(11)); });
  const gateway = invokeOverHttp({ gatewayUrl: server.url, upstreamTimeoutMs: 30_000, maxBodyBytes: 10 });
  try {
    await assert.rejects(gateway.invoke(makeCall({ callbackUrl: 'https://example.com' }), 1, signal), AnswerTooLarge);
    await server.close();
    await assert.rejects(gateway.invoke(makeCall(), 1, signal), Unreachable);
  } finally {
    await gateway.close();
  }
});

test('without a callback an answer of any length is read to its end, and its status told', async () => {
  let sent = false;
  const server = await startServer((res) => { res.writeHead(201).end(Buffer.alloc(5_000_000), () => { sent = true; }); });
  const gateway = invokeOverHttp({ gatewayUrl: server.url, upstreamTimeoutMs: 30_000, maxBodyBytes: 10 });
  try {
    const { status, body } = await gateway.invoke(makeCall(), 1, signal);
    assert.deepEqual([status, sent], [201, true]);
    assert.ok(body.byteLength < 20_000);
  } finally {
    await gateway.close();
    await server.close();
  }
});

test('an upstream_timeout of 0 is no limit', async () => {
  const server = await startServer((res) => { setTimeout(() => { res.end('late'); }, 600); });
  const gateway = invokeOverHttp({ gatewayUrl: server.url, upstreamTimeoutMs: 0, maxBodyBytes: 10 });
  try {
    assert.equal((await gateway.invoke(makeCall(), 1, signal)).status, 200);
  } finally {
    await gateway.close();
    await server.close();
  }
});

test('the list of functions is told at once, after each change, and stays in force while the gateway is away', async () => {
  let body = JSON.stringify([{ name: 'a', namespace: 'ns', image: 'x', annotations: { k: 'v' } }]);
  let status = 200;
  const server = await startServer((res, { url }) => {
    if (url === '/system/namespaces') res.end('["openfaas-fn","ns"]');
    else if (url === '/system/functions?namespace=ns') res.writeHead(status).end(body);
    else res.end('[{"name":"b","annotations":null}]');
  });
  const { log, lines } = recordingLog();
  const told: (readonly DeployedFunction[])[] = [];
  const unwatch = functionListOverHttp({ gatewayUrl: server.url, credentials: { user: 'admin', password: 'p' }, log, everyMs: 5 }).watch((list) => { told.push(list); });
  const answersFrom = async (count: number) => until(() => server.seen.length >= count + 6, 'two more polls');
  try {
    await answersFrom(1);
    assert.deepEqual(told, [[{ name: 'b', namespace: 'openfaas-fn', annotations: {} }, { name: 'a', namespace: 'ns', annotations: { k: 'v' } }]]);
    assert.equal(server.seen[0]?.headers.authorization, `Basic ${Buffer.from('admin:p').toString('base64')}`);
    for (const wrong of [[503, ''], [200, 'not json'], [200, '{}']] as const) {
      [status, body] = wrong;
      await answersFrom(server.seen.length);
    }
    assert.equal(told.length, 1);
    assert.equal(lines.filter(({ level }) => level === 40).length, 1, 'said once, not at every poll');
    [status, body] = [200, '[]'];
    await until(() => told.length === 2, 'the change is told');
    assert.deepEqual(told[1], [{ name: 'b', namespace: 'openfaas-fn', annotations: {} }]);
  } finally {
    unwatch();
    await server.close();
  }
});

test('a watch that has ended tells nothing more', async () => {
  let answer: (() => void) | undefined;
  const server = await startServer((res) => { answer = () => { res.end('[]'); }; });
  const told: unknown[] = [];
  const unwatch = functionListOverHttp({ gatewayUrl: server.url, log: silent, everyMs: 1 }).watch((list) => { told.push(list); });
  await until(() => answer !== undefined, 'it asks');
  unwatch();
  answer?.();
  await server.close();
  assert.deepEqual(told, []);
});
