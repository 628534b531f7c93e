/** What holds while the broker, the network or a worker fails. The broker is real, and so are the kills. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { connect, type JetStreamManager, RetentionPolicy } from 'nats';
import pino from 'pino';
import type { Call } from '../call.js';
import { laneKey } from '../call.js';
import { QueueFull, QueueMisconfigured, QueueUnavailable } from '../errors.js';
import type { Queue } from '../queue.js';
import {
  closedGate, done, echo, eventually, eventuallyDepth, publishInOrder, recordingConsumer, sampleCall,
} from '../testing/contract-fixture.js';
import { type NatsServer, startNatsServer } from '../testing/nats-server.js';
import { startTcpProxy, type TcpProxy } from '../testing/tcp-proxy.js';
import { type JetStreamOptions, openJetStreamQueue } from './open.js';

const log = pino({ level: 'silent' });

describe('a JetStream queue when things fail', { concurrency: true }, () => {
  test('opens without a broker, refuses calls at once, and begins when the broker comes', async (t) => {
    const server = await startServer(t);
    await server.kill9();
    const queue = await open(t, { url: server.url });
    assert.equal(queue.ready, false);
    const before = performance.now();
    await assert.rejects(queue.publish(sampleCall()), QueueUnavailable);
    assert.ok(performance.now() - before < 1_000);
    const consumer = await recordingConsumer(queue, echo, 1, () => done);
    await server.restart();
    await eventually('the queue is ready', () => queue.ready);
    const [id] = await publishInOrder(queue, 1);
    const [first] = await consumer.saw(1);
    assert.equal(first?.id, id);
  });

  test('a broker killed under load loses no acknowledged call, and none is stored twice', async (t) => {
    const server = await startServer(t);
    const queue = await open(t, { url: server.url });
    const accepted = new Set<string>();
    let refused = 0;
    let stopping = false;
    const publishers = Array.from({ length: 32 }, async () => {
      while (!stopping) {
        const call = sampleCall();
        const before = performance.now();
        const wasReady = queue.ready;
        try {
          await queue.publish(call);
          accepted.add(call.id);
        } catch (err) {
          assert.ok(err instanceof QueueUnavailable);
          if (!wasReady) assert.ok(performance.now() - before < 2_000, 'a publish while the broker is away fails at once');
          refused++;
          await new Promise((resolve) => { setImmediate(resolve); });
        }
      }
    });
    await eventually('calls are accepted', () => accepted.size >= 500);
    await server.kill9();
    await eventually('calls are refused', () => refused >= 1);
    await server.restart();
    await eventually('the queue is ready again', () => queue.ready);
    const enough = accepted.size + 500;
    await eventually('calls are accepted again', () => accepted.size >= enough);
    stopping = true;
    await Promise.all(publishers);

    const delivered = new Map<string, number>();
    await queue.consume(echo, { maxInFlight: 50 }, async ({ item }) => {
      delivered.set(item.id, (delivered.get(item.id) ?? 0) + 1);
      return done;
    });
    await eventuallyDepth(queue, echo, 0);
    for (const id of accepted) assert.equal(delivered.get(id), 1, `call ${id}`);
  });

  test('a handler that runs through a restart of the broker runs once, and its outcome counts', async (t) => {
    const server = await startServer(t);
    // A lease that ends while the broker is away.
    const queue = await open(t, { url: server.url, leaseMs: 300 });
    const gate = closedGate();
    const consumer = await recordingConsumer(queue, echo, 4, async () => { await gate.opened; return done; });
    const [id] = await publishInOrder(queue, 1);
    await consumer.saw(1);
    await server.kill9();
    await eventually('the broker is missed', () => !queue.ready);
    await server.restart();
    await eventually('the queue is ready again', () => queue.ready);
    const [next] = await publishInOrder(queue, 1);
    await consumer.saw(2);
    gate.open();
    await eventuallyDepth(queue, echo, 0);
    assert.deepEqual(consumer.seen.map((each) => each.id), [id, next]);
  });

  test('an outcome decided while the broker is away is stored when it is back', async (t) => {
    const server = await startServer(t);
    const queue = await open(t, { url: server.url });
    const gate = closedGate();
    const consumer = await recordingConsumer(queue, echo, 1, async ({ item }) => {
      await gate.opened;
      return { kind: 'done', callback: { callId: item.id, url: 'http://127.0.0.1/hook', headers: [], body: Buffer.from('result') } };
    });
    await publishInOrder(queue, 1);
    await consumer.saw(1);
    await server.kill9();
    await eventually('the broker is missed', () => !queue.ready);
    gate.open();
    await server.restart();
    await eventually('the queue is ready again', () => queue.ready);
    await eventuallyDepth(queue, echo, 0);
    assert.deepEqual([(await queue.stats()).callbacks, consumer.seen.length], [1, 1]);
  });

  test('a publish whose acknowledgement is lost stores its call once', async (t) => {
    const server = await startServer(t);
    const proxy = await startProxy(t, server);
    const queue = await open(t, { url: `nats://127.0.0.1:${proxy.port}`, publishTimeoutMs: 20_000 });
    let swallowed = 0;
    proxy.fromServer = (chunk) => {
      if (swallowed >= 2 || !chunk.includes('"stream":"POSTERN_CALLS"')) return chunk;
      swallowed++;
      return Buffer.alloc(0);
    };
    await queue.publish(sampleCall());
    assert.equal(swallowed, 2);
    assert.deepEqual((await queue.stats()).lanes, [{ lane: echo, depth: 1 }]);
  });

  test('a publish cut off from the broker is sent again over the next connection, and stored once', async (t) => {
    const server = await startServer(t);
    const proxy = await startProxy(t, server);
    const queue = await open(t, { url: `nats://127.0.0.1:${proxy.port}`, publishTimeoutMs: 20_000 });
    proxy.fromServer = (chunk) => {
      if (!chunk.includes('"stream":"POSTERN_CALLS"')) return chunk;
      proxy.fromServer = (next) => next;
      setImmediate(() => { proxy.cut(); });
      return Buffer.alloc(0);
    };
    await queue.publish(sampleCall());
    assert.deepEqual((await queue.stats()).lanes, [{ lane: echo, depth: 1 }]);
  });

  test('a broker that says nothing any more is missed, though its connection stands', async (t) => {
    const server = await startServer(t);
    const proxy = await startProxy(t, server);
    const queue = await open(t, { url: `nats://127.0.0.1:${proxy.port}` });
    proxy.deaf = true;
    // More than the socket takes, so that it cannot be written to any more either.
    const lost = Array.from({ length: 40 }, () => queue.publish(sampleCall({ body: Buffer.alloc(500_000) })));
    await Promise.all(lost.map((each) => assert.rejects(each, QueueUnavailable)));
    await eventually('the broker is missed', () => !queue.ready);
    proxy.deaf = false;
    await eventually('the queue is ready again', () => queue.ready);
    await queue.publish(sampleCall());
  });

  test('a stream of our name that would lose calls is refused, naming field, found and wanted', async (t) => {
    const server = await startServer(t);
    await administer(server, (jsm) => jsm.streams.add({ name: 'POSTERN_CALLS', subjects: ['postern.call.>'], retention: RetentionPolicy.Limits }));
    await assert.rejects(openJetStreamQueue({ url: server.url, log }), (err: unknown) => {
      assert.ok(err instanceof QueueMisconfigured);
      assert.match(err.message, /^stream POSTERN_CALLS has \w+ "\w+", but "\w+" is needed: .+$/);
      return true;
    });
  });

  test('a stream that has come to its limit refuses calls as full, and takes them again when there is room', async (t) => {
    const server = await startServer(t);
    const queue = await open(t, { url: server.url });
    await administer(server, async (jsm) => {
      const { config } = await jsm.streams.info('POSTERN_CALLS');
      await jsm.streams.update('POSTERN_CALLS', { ...config, max_msgs: 2 });
    });
    await publishInOrder(queue, 2);
    await assert.rejects(queue.publish(sampleCall()), QueueFull);
    const consumer = await recordingConsumer(queue, echo, 1, () => done);
    await eventuallyDepth(queue, echo, 0);
    await publishInOrder(queue, 1);
    await consumer.saw(3);
  });

  test('a broker older than 2.10 is refused in one line', async (t) => {
    const old = createServer((socket) => {
      socket.write(`INFO ${JSON.stringify({ server_id: 'X', version: '2.9.10', proto: 1, headers: true, max_payload: 1_048_576, jetstream: true })}\r\n`);
      socket.on('data', (chunk) => { if (String(chunk).includes('PING')) socket.write('PONG\r\n'); });
      socket.on('error', () => { /* the client leaves */ });
    }).listen(0, '127.0.0.1');
    await once(old, 'listening');
    t.after(() => { old.close(); });
    const address = old.address();
    assert.ok(address !== null && typeof address === 'object');
    await assert.rejects(openJetStreamQueue({ url: `nats://127.0.0.1:${address.port}`, log }), (err: unknown) => {
      assert.ok(err instanceof QueueMisconfigured);
      assert.match(err.message, /^nats-server at 127\.0\.0\.1:\d+ is version 2\.9\.10; 2\.10 or newer is needed: upgrade it$/);
      return true;
    });
  });

  test('a durable consumer deleted under our feet is made again: what ran goes on, what waits is delivered', async (t) => {
    const server = await startServer(t);
    const queue = await open(t, { url: server.url });
    const gate = closedGate();
    const consumer = await recordingConsumer(queue, echo, 3, async () => { await gate.opened; return done; });
    const running = await publishInOrder(queue, 2);
    await consumer.saw(2);
    await administer(server, (jsm) => jsm.consumers.delete('POSTERN_CALLS', 'default=openfaas-fn=echo'));
    const fresh = await publishInOrder(queue, 1);
    await consumer.saw(3);
    gate.open();
    await eventuallyDepth(queue, echo, 0);
    assert.deepEqual(consumer.seen.map(({ id }) => id), [...running, ...fresh]);
  });

  test('a call that ended while its durable consumer was gone is not run again', async (t) => {
    const server = await startServer(t);
    const queue = await open(t, { url: server.url });
    const gate = closedGate();
    const consumer = await recordingConsumer(queue, echo, 1, async () => { await gate.opened; return done; });
    await publishInOrder(queue, 1);
    await consumer.saw(1);
    const stopped = consumer.stop(30_000);
    await administer(server, (jsm) => jsm.consumers.delete('POSTERN_CALLS', 'default=openfaas-fn=echo'));
    gate.open();
    assert.deepEqual(await stopped, []);
    await eventuallyDepth(queue, echo, 0);
  });

  test('two queues share a lane and no call is delivered to both', async (t) => {
    const server = await startServer(t);
    const queues = [await open(t, { url: server.url }), await open(t, { url: server.url })];
    const gate = closedGate();
    const consumers = [];
    for (const queue of queues) consumers.push(await recordingConsumer(queue, echo, 2, async () => { await gate.opened; return done; }));
    const [first] = queues;
    assert.ok(first);
    const ids = await publishInOrder(first, 300);
    for (const consumer of consumers) await consumer.saw(2);
    gate.open();
    await eventuallyDepth(first, echo, 0);
    const seen = consumers.flatMap((consumer) => consumer.seen.map(({ id }) => id));
    assert.deepEqual(seen.toSorted(), ids.toSorted());
  });

  test('a handler that takes three leases runs once, though another queue has room', async (t) => {
    const server = await startServer(t);
    const leaseMs = 1_000;
    const queue = await open(t, { url: server.url, leaseMs });
    const other = await open(t, { url: server.url, leaseMs });
    const seen: string[] = [];
    const handle = ({ item }: { item: Call }): Promise<typeof done> => {
      seen.push(item.id);
      return new Promise((resolve) => { setTimeout(() => { resolve(done); }, 3 * leaseMs); });
    };
    for (const each of [queue, other]) await each.consume(echo, { maxInFlight: 2 }, handle);
    const [id] = await publishInOrder(queue, 1);
    await eventuallyDepth(queue, echo, 0);
    assert.deepEqual(seen, [id]);
  });

  test('the call of a worker that is killed goes to another once its lease has ended', async (t) => {
    const server = await startServer(t);
    const leaseMs = 1_000;
    const queue = await open(t, { url: server.url, leaseMs });
    const [id] = await publishInOrder(queue, 1);
    const worker = spawn(process.execPath, [join(import.meta.dirname, '../testing/hanging-worker.js'), server.url, laneKey(echo), String(leaseMs)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => { worker.kill('SIGKILL'); });
    const [line] = await once(worker.stdout, 'data');
    assert.equal(String(line).trim(), id);
    const consumer = await recordingConsumer(queue, echo, 1, () => done);
    worker.kill('SIGKILL');
    const [taken] = await consumer.saw(1);
    assert.equal(taken?.id, id);
    assert.ok(taken && taken.attempt >= 2);
    await eventuallyDepth(queue, echo, 0);
  });

  test('closing does not wait for a broker that is away', async (t) => {
    const server = await startServer(t);
    const queue = await open(t, { url: server.url, publishTimeoutMs: 500 });
    const gate = closedGate();
    const consumer = await recordingConsumer(queue, echo, 1, async () => { await gate.opened; return done; });
    await publishInOrder(queue, 1);
    await consumer.saw(1);
    await server.kill9();
    await eventually('the broker is missed', () => !queue.ready);
    gate.open();
    await queue.close();
    await server.restart();
    const again = await open(t, { url: server.url });
    await eventuallyDepth(again, echo, 1);
  });
});

const endings = new WeakMap<TestContext, (() => Promise<unknown>)[]>();

/** What a test opened last is closed first: a queue before its broker. */
function afterwards(t: TestContext, end: () => Promise<unknown>): void {
  const known = endings.get(t);
  if (known) return void known.unshift(end);
  const ends = [end];
  endings.set(t, ends);
  t.after(async () => { for (const each of ends) await each(); });
}

async function startServer(t: TestContext): Promise<NatsServer> {
  const server = await startNatsServer();
  afterwards(t, () => server.stop());
  return server;
}

async function startProxy(t: TestContext, server: NatsServer): Promise<TcpProxy> {
  const proxy = await startTcpProxy(server.port);
  afterwards(t, () => proxy.close());
  return proxy;
}

async function open(t: TestContext, options: Omit<JetStreamOptions, 'log'>): Promise<Queue> {
  const queue = await openJetStreamQueue({ ...options, log });
  afterwards(t, () => queue.close());
  return queue;
}

async function administer(server: NatsServer, work: (jsm: JetStreamManager) => Promise<unknown>): Promise<void> {
  const connection = await connect({ servers: `127.0.0.1:${server.port}` });
  try {
    await work(await connection.jetstreamManager());
  } finally {
    await connection.close();
  }
}
