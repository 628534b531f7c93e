/** What the contract promises from publish to delivery: fidelity, order, limits, lanes. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { Call, HeaderList } from '../call.js';
import { BodyTooLarge } from '../errors.js';
import {
  closedGate, done, echo, eventually, eventuallyDepth, lane, publishInOrder, recordingConsumer, sampleCall, type Guarantee } from './contract-fixture.js';

export function deliveryContract(guarantee: Guarantee, maxBodyBytes: number): void {
  guarantee('a call is delivered as it was published, whatever its fields hold', async ({ queue }) => {
    const consumer = await recordingConsumer(queue, echo, 10, () => done);
    await fc.assert(fc.asyncProperty(anyCall, async (fields) => {
      const call: Call = { ...fields, id: randomUUID(), lane: echo };
      await queue.publish(call);
      await eventually('the call is delivered', () => consumer.seen.some(({ id }) => id === call.id));
      const delivered = consumer.seen.find(({ id }) => id === call.id);
      assert.deepEqual(delivered?.call, { ...call, body: Uint8Array.from(call.body) });
      assert.equal(delivered?.attempt, 1);
    }), { numRuns: 60 });
    await consumer.stop(0);
  });

  guarantee('a body as large as the limit is delivered byte for byte', async ({ queue }) => {
    // The limit is for headers and body together.
    const body = new Uint8Array(maxBodyBytes - 2_048);
    for (let i = 0; i < body.length; i++) body[i] = (i * 31) >>> 3;
    const consumer = await recordingConsumer(queue, echo, 1, () => done);
    await queue.publish(sampleCall({ body }));
    const [first] = await consumer.saw(1);
    assert.ok(first && Buffer.from(body).equals(first.call.body));
    await consumer.stop(0);
  });

  guarantee('a body over the limit is refused and leaves no trace', async ({ queue }) => {
    await assert.rejects(queue.publish(sampleCall({ body: new Uint8Array(maxBodyBytes + 1) })), BodyTooLarge);
    assert.deepEqual(await queue.stats(), { lanes: [], callbacks: 0, dead: 0 });
  });

  guarantee('the same id published twice is two calls, each with a receipt of its own', async ({ queue }) => {
    const call = sampleCall();
    const first = await queue.publish(call);
    const second = await queue.publish(call);
    assert.match(first.sequence, /^\d+$/);
    assert.notEqual(first.sequence, second.sequence);
    const consumer = await recordingConsumer(queue, echo, 2, () => done);
    const seen = await consumer.saw(2);
    assert.deepEqual(seen.map(({ id, attempt }) => [id, attempt]), [[call.id, 1], [call.id, 1]]);
    await eventuallyDepth(queue, echo, 0);
    await consumer.stop(0);
  });

  guarantee('a lane is delivered in the order it was published', async ({ queue }) => {
    const waiting = await publishInOrder(queue, 100);
    const consumer = await recordingConsumer(queue, echo, 1, () => done);
    const fresh = await publishInOrder(queue, 100);
    const seen = await consumer.saw(200);
    assert.deepEqual(seen.map(({ id }) => id), [...waiting, ...fresh]);
    await consumer.stop(0);
  });

  guarantee('500 concurrent publishes are all there, once each', async ({ queue }) => {
    const calls = Array.from({ length: 500 }, () => sampleCall());
    await Promise.all(calls.map((call) => queue.publish(call)));
    const consumer = await recordingConsumer(queue, echo, 50, () => done);
    await consumer.saw(500);
    await eventuallyDepth(queue, echo, 0);
    assert.equal(consumer.seen.length, 500);
    assert.deepEqual(new Set(consumer.seen.map(({ id }) => id)), new Set(calls.map(({ id }) => id)));
    await consumer.stop(0);
  });

  guarantee('at most maxInFlight calls run at a time, and a change counts from the next delivery on', async ({ queue }) => {
    let limit = 3;
    let running = 0;
    let most = 0;
    let gate = closedGate();
    const consumer = await recordingConsumer(queue, echo, limit, async () => {
      most = Math.max(most, ++running);
      await gate.opened;
      running--;
      return done;
    });
    for (const next of [3, 6, 1]) {
      consumer.setMaxInFlight(next);
      limit = next;
      most = 0;
      gate = closedGate();
      await publishInOrder(queue, 20);
      await eventually(`${limit} calls run`, () => running === limit);
      gate.open();
      await eventuallyDepth(queue, echo, 0);
      assert.equal(most, limit);
    }
    await consumer.stop(0);
  });

  guarantee('a lane whose handlers hang holds up no other', async ({ queue }) => {
    const gate = closedGate();
    const [stuck, free] = [lane('stuck'), lane('free')];
    await publishInOrder(queue, 20, { lane: stuck });
    const hanging = await recordingConsumer(queue, stuck, 2, async () => { await gate.opened; return done; });
    await hanging.saw(2);
    const draining = await recordingConsumer(queue, free, 2, () => done);
    await publishInOrder(queue, 100, { lane: free });
    await draining.saw(100);
    await eventuallyDepth(queue, free, 0);
    await eventuallyDepth(queue, stuck, 20);
    assert.equal(hanging.seen.length, 2);
    gate.open();
    await eventuallyDepth(queue, stuck, 0);
    await Promise.all([hanging.stop(0), draining.stop(0)]);
  });

  guarantee('lanes with names that begin alike, or differ by queue or namespace alone, do not mix', async ({ queue }) => {
    const lanes = [
      echo, lane('ech'), lane('echo2'), lane('echo-2'), lane('echo_'),
      { ...echo, namespace: 'openfaas' }, { ...echo, queue: 'slow' }, { ...echo, queue: 'default-2' },
    ];
    const consumers = [];
    for (const each of lanes) {
      const ids = await publishInOrder(queue, 5, { lane: each });
      consumers.push({ ids, each, consumer: await recordingConsumer(queue, each, 1, () => done) });
    }
    for (const { ids, each, consumer } of consumers) {
      await consumer.saw(5);
      await eventuallyDepth(queue, each, 0);
      assert.deepEqual(consumer.seen.map(({ id }) => id), ids);
      assert.deepEqual(consumer.seen[0]?.call.lane, each);
      await consumer.stop(0);
    }
  });

  guarantee('what cannot be a lane is refused by a rejection, and leaves no trace', async ({ queue }) => {
    for (const name of ['a@b', 'a.b', '*', '>', '', 'a b', 'a\n']) {
      await assert.rejects(queue.consume(lane(name), { maxInFlight: 1 }, async () => done), RangeError);
      await assert.rejects(queue.publish(sampleCall({ lane: lane(name) })), RangeError);
    }
    assert.deepEqual((await queue.stats()).lanes, []);
  });

  guarantee('two consumers share a lane and no call is delivered to both', async ({ queue }) => {
    const gate = closedGate();
    const handle = async () => { await gate.opened; return done; };
    const consumers = [await recordingConsumer(queue, echo, 2, handle), await recordingConsumer(queue, echo, 2, handle)];
    const ids = await publishInOrder(queue, 200);
    for (const consumer of consumers) await consumer.saw(2);
    gate.open();
    await eventuallyDepth(queue, echo, 0);
    const seen = consumers.flatMap((consumer) => consumer.seen.map(({ id }) => id));
    assert.equal(seen.length, 200);
    assert.deepEqual(new Set(seen), new Set(ids));
    for (const consumer of consumers) await consumer.stop(0);
  });
}

/** Characters as Node reads them from the wire: one a byte, no controls; a value has no white space at its ends. */
const wireCharacter = fc.oneof(fc.integer({ min: 0x21, max: 0x7e }), fc.integer({ min: 0xa1, max: 0xff })).map((code) => String.fromCharCode(code));
const wireText = fc.array(wireCharacter, { maxLength: 40 }).map((characters) => characters.join(''));
const headerValue = fc.array(wireText, { maxLength: 4 }).map((words) => words.join(' ').trim());
const headerName = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}$/)
  .filter((name) => !/^(nats-|postern-|x-call-id$|x-start-time$|x-callback-url$)/i.test(name));
const anyHeaders: fc.Arbitrary<HeaderList> = fc.array(fc.tuple(headerName, headerValue), { maxLength: 12 })
  // Repeated in full, and again in another letter case.
  .map((headers) => [...headers, ...headers.slice(0, 2), ...headers.slice(0, 1).map(([name, value]) => [name.toUpperCase(), value] as const)]);

const anyCall = fc.record({
  method: fc.constantFrom('POST', 'GET', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'),
  path: fc.oneof(fc.constant(''), wireText.map((text) => `/${text}`)),
  query: wireText,
  headers: anyHeaders,
  body: fc.uint8Array({ maxLength: 5_000 }),
  acceptedNs: fc.bigInt({ min: 1n, max: 2n ** 63n }).map(String),
  callbackUrl: fc.option(fc.webUrl({ withQueryParameters: true }), { nil: undefined }),
}).map(({ callbackUrl, ...fields }) => (callbackUrl === undefined ? fields : { ...fields, callbackUrl }));
