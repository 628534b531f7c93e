/** What is on the broker before us: used, brought to our settings, or refused. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { AckPolicy, DiscardPolicy, nanos, RetentionPolicy } from 'nats';
import pino from 'pino';
import { QueueFull, QueueMisconfigured } from '../errors.js';
import { done, echo, eventually, eventuallyDepth, publishInOrder, recordingConsumer, sampleCall } from '../testing/contract-fixture.js';
import { administer, open, startServer } from '../testing/jetstream-fixture.js';
import { openJetStreamQueue } from './open.js';

const echoConsumer = 'default=openfaas-fn=echo';

describe('a JetStream queue on a broker that has been used before', { concurrency: true }, () => {
  test('a stream of our name that would lose calls is refused, naming field, found and wanted', async (t) => {
    const server = await startServer(t);
    await administer(server, (jsm) => jsm.streams.add({ name: 'POSTERN_CALLS', subjects: ['postern.call.>'], retention: RetentionPolicy.Limits }));
    await assert.rejects(open(t, { url: server.url }), (err: unknown) => {
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
    await assert.rejects(open(t, { url: `nats://127.0.0.1:${address.port}` }), (err: unknown) => {
      assert.ok(err instanceof QueueMisconfigured);
      assert.match(err.message, /^nats-server at 127\.0\.0\.1:\d+ is version 2\.9\.10; 2\.10 or newer is needed: upgrade it$/);
      return true;
    });
  });

  test('a stream that shows itself wrong after a reconnect refuses calls until it is mended', async (t) => {
    const server = await startServer(t);
    const queue = await open(t, { url: server.url });
    await administer(server, (jsm) => jsm.streams.update('POSTERN_CALLS', { max_age: nanos(60_000) }));
    await server.restart();
    await eventually('calls are refused, and it is said why', async () => {
      const answer = await queue.publish(sampleCall()).then(() => 'accepted', String);
      return answer.includes('POSTERN_CALLS has max_age 60000000000, but 0 is needed');
    });
    await administer(server, (jsm) => jsm.streams.update('POSTERN_CALLS', { max_age: 0 }));
    await eventually('the queue is ready again', () => queue.ready);
  });

  test('a durable consumer that would strand calls is refused', async (t) => {
    const server = await startServer(t);
    const queue = await open(t, { url: server.url });
    await administer(server, (jsm) => jsm.consumers.add('POSTERN_CALLS', {
      durable_name: echoConsumer, filter_subject: 'postern.call.default.openfaas-fn.echo', ack_policy: AckPolicy.Explicit, max_deliver: 5,
    }));
    await assert.rejects(queue.consume(echo, { maxInFlight: 1 }, async () => done), (err: unknown) => {
      assert.ok(err instanceof QueueMisconfigured);
      assert.match(err.message, /has max_deliver 5, but -1 is needed/);
      return true;
    });
  });

  test('a lease is lengthened for all who share the lane, and never shortened below what the slowest of them keeps', async (t) => {
    const server = await startServer(t);
    const ackWaits: number[] = [];
    for (const leaseMs of [2_000, 60_000, 40_000, 2_000]) {
      const queue = await open(t, { url: server.url, leaseMs });
      await queue.consume(echo, { maxInFlight: 1 }, async () => done);
      await administer(server, async (jsm) => {
        ackWaits.push((await jsm.consumers.info('POSTERN_CALLS', echoConsumer)).config.ack_wait ?? 0);
      });
    }
    assert.deepEqual(ackWaits, [2_000, 60_000, 40_000, 30_000].map(nanos));
  });

  test('a lease too short to be kept, or so long that a dead worker\'s calls would wait, is refused', async () => {
    for (const leaseMs of [0, 999, 300_001, NaN]) {
      await assert.rejects(openJetStreamQueue({ url: 'nats://127.0.0.1:1', log: pino({ level: 'silent' }), leaseMs }), QueueMisconfigured);
    }
  });

  test('a durable consumer made before is given room for what waits, and an end; the operator\'s larger room is left', async (t) => {
    const server = await startServer(t);
    const queue = await open(t, { url: server.url });
    await administer(server, async (jsm) => {
      const config = { ack_policy: AckPolicy.Explicit, ack_wait: nanos(30_000) };
      await jsm.consumers.add('POSTERN_CALLS', { ...config, durable_name: echoConsumer, filter_subject: 'postern.call.default.openfaas-fn.echo', max_ack_pending: 500_000 });
      await jsm.consumers.add('POSTERN_CALLBACKS', { ...config, durable_name: 'callbacks', filter_subject: 'postern.callback.>', max_ack_pending: 1_000 });
      await queue.consume(echo, { maxInFlight: 1 }, async () => done);
      await queue.consumeCallbacks({ maxInFlight: 1 }, async () => done);
      const found = [await jsm.consumers.info('POSTERN_CALLS', echoConsumer), await jsm.consumers.info('POSTERN_CALLBACKS', 'callbacks')];
      assert.deepEqual(found.map(({ config: { max_ack_pending, inactive_threshold } }) => [max_ack_pending, inactive_threshold]), [
        [500_000, nanos(30 * 86_400_000)], [1_000_000, nanos(30 * 86_400_000)],
      ]);
    });
  });

  test('a publish timeout that has changed is the broker\'s from then on', async (t) => {
    const server = await startServer(t);
    await (await open(t, { url: server.url, publishTimeoutMs: 1_000 })).close();
    await open(t, { url: server.url, publishTimeoutMs: 3_000 });
    await administer(server, async (jsm) => {
      assert.equal((await jsm.streams.info('POSTERN_CALLS')).config.duplicate_window, nanos(6_000));
    });
  });

  test('a callback that no message can hold leaves its call among the dead letters', async (t) => {
    const server = await startServer(t, 'max_payload: 64KB');
    const queue = await open(t, { url: server.url });
    await queue.consume(echo, { maxInFlight: 1 }, async ({ item }) => (
      { kind: 'done', callback: { callId: item.id, url: 'http://127.0.0.1/hook', headers: [], body: Buffer.alloc(100_000) } }
    ));
    const [id] = await publishInOrder(queue, 1);
    await eventuallyDepth(queue, echo, 0);
    const [letter] = await queue.deadLetters(1);
    assert.deepEqual([letter?.callId, letter?.cause.code, letter?.cause.attempts], [id, 'callback_too_large', 1]);
  });

  test('whatever callback is queued can be given up', async (t) => {
    const server = await startServer(t, 'max_payload: 64KB');
    const queue = await open(t, { url: server.url });
    let bytes = 65_536;
    await queue.consume(echo, { maxInFlight: 1 }, async ({ item }) => (
      { kind: 'done', callback: { callId: item.id, url: 'http://127.0.0.1/hook', headers: [], body: Buffer.alloc(bytes -= 200) } }
    ));
    const cause = { code: 'gone', message: 'The receiver answered 410.'.padEnd(2_000, '!'), status: 410, attempts: 1 };
    await queue.consumeCallbacks({ maxInFlight: 1 }, async () => ({ kind: 'dead', cause }));
    await publishInOrder(queue, 20);
    await eventually('all are dead letters', async () => (await queue.stats()).dead === 20);
    const codes = new Set((await queue.deadLetters(20)).map((letter) => letter.cause.code));
    assert.deepEqual(codes, new Set(['gone', 'callback_too_large']));
  });

  test('a call that no longer fits beside its cause is kept among the dead letters without its body', async (t) => {
    const server = await startServer(t);
    const queue = await open(t, { url: server.url });
    await queue.publish(sampleCall({ body: Buffer.alloc(60_000) }));
    await administer(server, async (jsm) => {
      const { config } = await jsm.streams.info('POSTERN_DEAD');
      await jsm.streams.update('POSTERN_DEAD', { ...config, max_msg_size: 10_000 });
    });
    await queue.consume(echo, { maxInFlight: 1 }, async () => ({ kind: 'dead', cause: { code: 'status', message: 'The function answered 400.', attempts: 1 } }));
    await eventuallyDepth(queue, echo, 0);
    const [letter] = await queue.deadLetters(1);
    assert.deepEqual([letter?.cause.code, letter?.body.length], ['status', 0]);
    assert.match(letter?.cause.message ?? '', /^The function answered 400\. \(Its body of 60000 bytes/);
  });

  test('a subject that is no lane\'s is no lane in stats, and is logged once', async (t) => {
    const server = await startServer(t);
    const lines: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => { lines.push(line); } });
    const queue = await openJetStreamQueue({ url: server.url, log });
    t.after(() => queue.close());
    await administer(server, (jsm) => jsm.jetstream().publish('postern.call.default.openfaas-fn.a@b', 'x'));
    await publishInOrder(queue, 1);
    for (let i = 0; i < 2; i++) assert.deepEqual((await queue.stats()).lanes, [{ lane: echo, depth: 1 }]);
    assert.equal(lines.filter((line) => line.includes('postern.call.default.openfaas-fn.a@b')).length, 1);
  });

  test('how many dead letters are kept, and for how long, is the operator\'s', async (t) => {
    const server = await startServer(t);
    await (await open(t, { url: server.url })).close();
    await administer(server, async (jsm) => {
      const { config } = await jsm.streams.info('POSTERN_DEAD');
      assert.equal(config.discard, DiscardPolicy.Old);
      await jsm.streams.update('POSTERN_DEAD', { ...config, max_age: nanos(86_400_000), max_bytes: 1_000_000 });
    });
    assert.equal((await open(t, { url: server.url })).ready, true);
  });

  test('sequences that begin again with a stream made anew cost no callback and no dead letter', async (t) => {
    const server = await startServer(t);
    for (let round = 1; round <= 2; round++) {
      const queue = await open(t, { url: server.url });
      await queue.consume(echo, { maxInFlight: 1 }, async ({ item }) => ({
        kind: 'dead',
        cause: { code: 'status', message: 'The function answered 400.', attempts: 1 },
        callback: { callId: item.id, url: 'http://127.0.0.1/hook', headers: [], body: item.body },
      }));
      await publishInOrder(queue, 1);
      await eventuallyDepth(queue, echo, 0);
      const { callbacks, dead } = await queue.stats();
      assert.deepEqual([callbacks, dead], [round, round]);
      await queue.close();
      await administer(server, (jsm) => jsm.streams.delete('POSTERN_CALLS'));
    }
  });

  test('a message any NATS client has put into a lane, without a header, is delivered', async (t) => {
    const server = await startServer(t);
    const queue = await open(t, { url: server.url });
    await administer(server, (jsm) => jsm.jetstream().publish('postern.call.default.openfaas-fn.echo', 'plain'));
    const consumer = await recordingConsumer(queue, echo, 1, () => done);
    const [first] = await consumer.saw(1);
    assert.deepEqual([Buffer.from(first?.call.body ?? []).toString(), first?.call.method, first?.call.headers], ['plain', 'POST', []]);
    await eventuallyDepth(queue, echo, 0);
  });
});
