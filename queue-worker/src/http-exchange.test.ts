import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Agent } from 'undici';
import { Deadlines } from './deadlines.js';
import { AnswerTooLarge, BadCall, TimedOut, Unreachable } from './errors.js';
import { type ExchangeLimits, exchange } from './http-exchange.js';
import { startServer, until } from './testing/fixtures.js';

const deadlines = new Deadlines(10);
const post = { target: '/a%2Fb?x=%20', method: 'POST', headers: ['X-One', '1', 'X-One', '2', 'X-High', 'caf\u00e9'], body: Buffer.from([0, 255]) };

function limits(over: Partial<ExchangeLimits> = {}): ExchangeLimits {
  return { timeoutMs: 30_000, timeoutMessage: 'too late', maxBodyBytes: 1_000, whenLonger: 'stop', signal: new AbortController().signal, ...over };
}

test('a request arrives to the byte, and its answer comes back to the byte', async () => {
  const server = await startServer((res) => {
    res.writeHead(201, ['Set-Cookie', 'a=1', 'set-cookie', 'b=2', 'X-High', 'caf\u00e9']);
    res.write(Buffer.from([1, 0]));
    res.end(Buffer.from([254]));
  });
  const agent = new Agent();
  try {
    const answer = await exchange(agent, { origin: server.url, ...post }, limits(), deadlines);
    assert.equal(answer.status, 201);
    assert.deepEqual([...answer.body], [1, 0, 254]);
    assert.deepEqual(answer.headers.slice(0, 3), [['Set-Cookie', 'a=1'], ['set-cookie', 'b=2'], ['X-High', 'caf\u00e9']]);
    const [seen] = server.seen;
    assert.equal(seen?.url, '/a%2Fb?x=%20');
    assert.deepEqual([...seen.body], [0, 255]);
    assert.equal(seen.rawHeaders.filter((each) => each === 'X-One').length, 2);
    assert.equal(seen.headers['x-high'], 'caf\u00e9');
    assert.equal(seen.headers['content-length'], '2');
  } finally {
    await agent.destroy();
    await server.close();
  }
});

test('an answer over the limit fails, or is cut where that is enough, or is read to its end and dropped', async () => {
  const server = await startServer((res) => { res.end(Buffer.alloc(5_000, 'x')); });
  const agent = new Agent();
  try {
    const request = { origin: server.url, ...post };
    await assert.rejects(exchange(agent, request, limits({ whenLonger: () => new AnswerTooLarge(1_000) }), deadlines), AnswerTooLarge);
    const answer = await exchange(agent, request, limits(), deadlines);
    assert.ok(answer.status === 200 && answer.body.byteLength <= 1_000);
    const dropped = await exchange(agent, request, limits({ whenLonger: 'drop' }), deadlines);
    assert.ok(dropped.status === 200 && dropped.body.byteLength <= 1_000);
    assert.equal((await exchange(agent, request, limits({ maxBodyBytes: 5_000 }), deadlines)).body.byteLength, 5_000);
  } finally {
    await agent.destroy();
    await server.close();
  }
});

test('a server that never answers, or stops half-way, is given up at the deadline and its connection closed', async () => {
  const closed: string[] = [];
  const server = await startServer((res, { url }) => {
    res.on('close', () => { closed.push(url); });
    if (url === '/half') res.write('half');
  });
  const agent = new Agent();
  try {
    for (const target of ['/never', '/half']) {
      await assert.rejects(exchange(agent, { ...post, origin: server.url, target }, limits({ timeoutMs: 50 }), deadlines),
        (error) => error instanceof TimedOut && error.message === 'too late');
      await until(() => closed.includes(target), `the connection of ${target} is closed`);
    }
  } finally {
    await agent.destroy();
    await server.close();
  }
});

test('an abort ends the request at once with the signal\'s reason', async () => {
  const controller = new AbortController();
  const reason = new Error('let go');
  const server = await startServer(() => { controller.abort(reason); });
  const agent = new Agent();
  try {
    const request = { origin: server.url, ...post };
    await assert.rejects(exchange(agent, request, limits({ signal: controller.signal }), deadlines), reason);
    await assert.rejects(exchange(agent, request, limits({ signal: controller.signal }), deadlines), reason);
    assert.equal(server.seen.length, 1, 'nothing is sent once the signal is aborted');
  } finally {
    await agent.destroy();
    await server.close();
  }
});

test('a request given up while it waits for a connection is never sent', async () => {
  const server = await startServer((res) => { setImmediate(() => { res.end(); }); });
  const agent = new Agent({ connections: 1, pipelining: 1 });
  const controller = new AbortController();
  try {
    const request = { origin: server.url, ...post };
    const first = exchange(agent, request, limits(), deadlines);
    const waiting = exchange(agent, { ...request, target: '/waiting' }, limits({ signal: controller.signal }), deadlines);
    controller.abort(new Error('let go'));
    await assert.rejects(waiting, /let go/);
    await first;
    await exchange(agent, { ...request, target: '/after' }, limits(), deadlines);
    assert.deepEqual(server.seen.map(({ url }) => url), ['/a%2Fb?x=%20', '/after']);
  } finally {
    await agent.destroy();
    await server.close();
  }
});

test('a refused and a cut connection are unreachable, and the message says why', async () => {
  const cutter = createServer((socket) => { socket.once('data', () => { socket.destroy(); }); });
  cutter.listen(0, '127.0.0.1');
  await once(cutter, 'listening');
  // Cast: a TCP server's address is never a path.
  const { port } = cutter.address() as AddressInfo;
  const agent = new Agent();
  try {
    const origin = `http://127.0.0.1:${port}`;
    await assert.rejects(exchange(agent, { origin, ...post }, limits(), deadlines), (error) => error instanceof Unreachable && error.sent);
    cutter.close();
    await once(cutter, 'close');
    await assert.rejects(exchange(agent, { origin, ...post }, limits(), deadlines), (error) => error instanceof Unreachable && !error.sent && error.message.includes('ECONNREFUSED'));
  } finally {
    await agent.destroy();
  }
});

for (const [what, over] of [
  ['a header\'s value', { headers: ['X-Bad', 'a\r\nb'] }], ['a header\'s name', { headers: ['X Bad', 'a'] }], ['a header of the connection\'s', { headers: ['Expect', 'x'] }],
  ['a path', { target: '/a b' }], ['a method', { method: 'GE T' }], ['the method CONNECT', { method: 'CONNECT' }],
] as const) {
  test(`${what} that HTTP does not allow is never sent, and told apart from a host that is away`, async () => {
    const server = await startServer((res) => { res.end(); });
    const agent = new Agent();
    try {
      const request = { ...post, origin: server.url, ...over };
      await assert.rejects(exchange(agent, { ...request, headers: [...request.headers] }, limits({ timeoutMs: 5_000 }), deadlines), BadCall);
      assert.equal(server.seen.length, 0);
    } finally {
      await agent.destroy();
      await server.close();
    }
  });
}
