/** What holds while the broker or the network fails. The broker is real, and so are the kills. Workers: lease.test.ts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { connect } from 'nats';
import { QueueUnavailable } from '../errors.js';
import {
  closedGate, done, echo, eventually, eventuallyDepth, publishInOrder, recordingConsumer, sampleCall,
} from '../testing/contract-fixture.js';
import { administer, open, startProxy, startServer } from '../testing/jetstream-fixture.js';

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
          await wait(5); // as a caller would
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
    const queue = await open(t, { url: server.url, leaseMs: 1_000 });
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
    proxy.setDeaf(true);
    // More than the socket takes, so that it cannot be written to any more either.
    const lost = Array.from({ length: 40 }, () => queue.publish(sampleCall({ body: Buffer.alloc(500_000) })));
    await Promise.all(lost.map((each) => assert.rejects(each, QueueUnavailable)));
    await eventually('the broker is missed', () => !queue.ready);
    proxy.setDeaf(false);
    await eventually('the queue is ready again', () => queue.ready);
    await queue.publish(sampleCall());
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

  test('a call given back is given back once, though nobody confirms it: a second time would end another\'s run', async (t) => {
    const server = await startServer(t);
    const proxy = await startProxy(t, server);
    const queue = await open(t, { url: `nats://127.0.0.1:${proxy.port}` });
    const spy = await connect({ servers: `127.0.0.1:${server.port}` });
    t.after(() => spy.close());
    const returned: string[] = [];
    spy.subscribe('$JS.ACK.>', { callback: (_err, msg) => { if (msg.string().startsWith('-NAK')) returned.push(msg.subject); } });
    await spy.flush();
    const consumer = await recordingConsumer(queue, echo, 1, () => {
      proxy.fromServer = () => Buffer.alloc(0);
      return { kind: 'retry', delayMs: 0 };
    });
    await publishInOrder(queue, 1);
    await consumer.saw(1);
    await eventually('the call is given back', () => returned.length > 0);
    await consumer.stop(30_000);
    await spy.flush();
    assert.equal(returned.length, 1);
  });

  test('a consumer that the broker\'s silence keeps from its lane can be had, stopped and closed all the same', async (t) => {
    const server = await startServer(t, 'authorization { users: [ { user: a, password: a, permissions: { publish: { deny: ["$JS.API.CONSUMER.>"] } } } ] }');
    const queue = await open(t, { url: server.url.replace('//', '//a:a@') });
    const consumer = await queue.consume(echo, { maxInFlight: 1 }, async () => done);
    assert.deepEqual(await consumer.stop(0), []);
    await queue.consume(echo, { maxInFlight: 1 }, async () => done);
    await queue.close();
  });

  test('a stream deleted under our feet is made again: by whoever publishes, and by whoever consumes', async (t) => {
    const server = await startServer(t);
    const [gateway, worker] = [await open(t, { url: server.url }), await open(t, { url: server.url })];
    const drop = (): Promise<void> => administer(server, (jsm) => jsm.streams.delete('POSTERN_CALLS'));
    await drop();
    await publishInOrder(gateway, 1);
    const consumer = await recordingConsumer(worker, echo, 1, () => done);
    await consumer.saw(1);
    await eventuallyDepth(worker, echo, 0);
    await drop();
    await eventually('the worker has made it again', () => worker.stats().then(() => true, () => false));
    await publishInOrder(gateway, 1);
    await consumer.saw(2);
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
