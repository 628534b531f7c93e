import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { request } from 'undici';
import { FunctionExists, FunctionNotFound, InvalidFunction, ProviderUnavailable } from '../errors.js';
import type { FunctionRef, LogLine, Provider } from '../provider.js';
import { createProviderServer, type ProviderServer, type ProviderServerOptions } from '../server/provider-server.js';
import { eventually } from '../testing/eventually.js';
import { exampleSpec } from '../testing/example-spec.js';
import { MemoryProvider } from '../testing/memory-provider.js';
import { providerContract } from '../testing/provider-contract.js';
import { recordEvents } from '../testing/record-events.js';
import { createRemoteProvider, type RemoteProviderOptions } from './remote-provider.js';

const log = pino({ level: 'silent' });
const hello: FunctionRef = { name: 'hello', namespace: 'openfaas-fn' };
const other: FunctionRef = { name: 'other', namespace: 'openfaas-fn' };
const credentials = { user: 'admin', password: 'päss:word' };
const replica = { replica: 'hello-1', url: 'http://127.0.0.1:9001' };

const serve = (provider: Provider, options: Partial<ProviderServerOptions> = {}): Promise<ProviderServer> =>
  createProviderServer(provider, { host: '127.0.0.1', port: 0, defaultNamespace: 'openfaas-fn', log, ...options });

providerContract('remote over memory', async () => {
  const memory = new MemoryProvider();
  const server = await serve(memory, { credentials });
  const provider = createRemoteProvider({ url: `${server.url}/`, credentials, log });
  return {
    provider,
    spec: exampleSpec,
    close: async () => {
      await provider.close();
      await server.close();
    },
  };
});

async function remoteOver(t: TestContext, memory: MemoryProvider, options: Partial<RemoteProviderOptions & ProviderServerOptions> = {}): Promise<{
  readonly server: ProviderServer; readonly remote: Provider;
}> {
  const server = await serve(memory, options);
  const remote = createRemoteProvider({ url: server.url, log, ...options });
  t.after(async () => {
    await remote.close();
    await server.close();
  });
  return { server, remote };
}

test('replicas and what is wrong with them reach a remote listener as they change', async (t) => {
  const memory = new MemoryProvider();
  await memory.deploy(exampleSpec(hello));
  const { remote } = await remoteOver(t, memory);
  const record = recordEvents(remote);
  await record.next((event) => event.kind === 'synced');
  memory.setEndpoints(hello, [replica]);
  await record.next((event) => event.kind === 'changed' && event.state.endpoints.length === 1);
  assert.deepEqual((await remote.get(hello))?.endpoints, [replica]);
  memory.setEndpoints(hello, [], 'it crashes at start');
  await record.next((event) => event.kind === 'changed' && event.state.reason === 'it crashes at start');
  assert.deepEqual(await remote.get(hello), await memory.get(hello));
  assert.deepEqual(await remote.list(hello.namespace), await memory.list(hello.namespace));
});

test('a whole specification survives the way there and back', async (t) => {
  const memory = new MemoryProvider();
  const { remote } = await remoteOver(t, memory);
  const spec = {
    ...exampleSpec(hello), envProcess: 'wc -w', envVars: { a: 'b=c', ü: '' }, constraints: ['zone=eu'], secrets: ['key'],
    labels: { 'com.openfaas.scale.min': '2' }, annotations: { topic: 'cron' }, limits: { memory: '64Mi', cpu: '250m' },
    requests: { memory: '32Mi' }, readOnlyRootFilesystem: true,
  };
  await remote.deploy(spec);
  assert.deepEqual((await memory.get(hello))?.spec, spec);
  assert.deepEqual((await remote.get(hello))?.spec, spec);
});

test('while the provider is away calls fail at once, and listeners keep what they were told', async (t) => {
  const memory = new MemoryProvider();
  await memory.deploy(exampleSpec(hello));
  memory.setEndpoints(hello, [replica]);
  const { server, remote } = await remoteOver(t, memory);
  const record = recordEvents(remote);
  await record.next((event) => event.kind === 'synced');
  const toldBefore = record.events.length;
  await server.close();
  for (const attempt of [
    () => remote.list('openfaas-fn'), () => remote.get(hello), () => remote.deploy(exampleSpec(other)), () => remote.update(exampleSpec(hello)),
    () => remote.remove(hello), () => remote.scale(hello, 2), () => remote.info(),
    () => remote.logs({ ...hello, follow: true, signal: AbortSignal.timeout(10_000) }),
  ]) await assert.rejects(attempt, ProviderUnavailable);
  assert.equal(record.events.length, toldBefore, 'a listener was told something while there was nothing to tell');
  const late = recordEvents(remote);
  const known = await late.next((event) => event.kind === 'changed');
  assert.deepEqual(known.kind === 'changed' && known.state.endpoints, [replica]);
  await late.next((event) => event.kind === 'synced' && event.refs.length === 1);
});

test('after a restart of the provider listeners are told all again, and what went in the gap is gone', async (t) => {
  const memory = new MemoryProvider();
  await memory.deploy(exampleSpec(hello));
  await memory.deploy(exampleSpec(other));
  const { server, remote } = await remoteOver(t, memory);
  const record = recordEvents(remote);
  await record.next((event) => event.kind === 'synced' && event.refs.length === 2);
  await server.close();
  await memory.remove(other);
  memory.setEndpoints(hello, [replica]);
  const gap = record.events.length;
  const again = await serve(memory, { port: Number(new URL(server.url).port) });
  t.after(() => again.close());
  await record.next((event) => event.kind === 'synced', gap);
  assert.deepEqual(record.events.slice(gap).map((event) => event.kind), ['changed', 'synced']);
  assert.deepEqual(record.events.at(-1), { kind: 'synced', refs: [hello] });
  // Late listeners learn from the same table.
  const late = recordEvents(remote);
  await late.next((event) => event.kind === 'synced');
  assert.deepEqual(late.events, record.events.slice(gap));
  await memory.deploy(exampleSpec(other));
  await record.next((event) => event.kind === 'changed' && event.state.spec.name === 'other', gap);
});

test('a provider that starts after its gateway is found', async (t) => {
  const memory = new MemoryProvider();
  await memory.deploy(exampleSpec(hello));
  const first = await serve(memory);
  await first.close();
  const remote = createRemoteProvider({ url: first.url, log });
  t.after(() => remote.close());
  const record = recordEvents(remote);
  await assert.rejects(remote.info(), ProviderUnavailable);
  const server = await serve(memory, { port: Number(new URL(first.url).port) });
  t.after(() => server.close());
  await record.next((event) => event.kind === 'synced' && event.refs.length === 1);
});

test('a stream that falls silent is replaced', async (t) => {
  const memory = new MemoryProvider();
  // The server's heartbeat comes far later than the driver expects it: to the driver the stream has died.
  const server = await serve(memory, { heartbeatMs: 3_600_000 });
  const remote = createRemoteProvider({ url: server.url, log, heartbeatMs: 40 });
  t.after(async () => {
    await remote.close();
    await server.close();
  });
  const record = recordEvents(remote);
  await record.next((event) => event.kind === 'synced');
  await record.next((event) => event.kind === 'synced', record.events.length);
  await record.next((event) => event.kind === 'synced', record.events.length);
});

test('a stream with nothing to tell but heartbeats lives on', async (t) => {
  const memory = new MemoryProvider();
  const server = await serve(memory, { heartbeatMs: 10 });
  // A second without a byte would break the stream.
  const remote = createRemoteProvider({ url: server.url, log, heartbeatMs: 400 });
  t.after(async () => {
    await remote.close();
    await server.close();
  });
  const record = recordEvents(remote);
  await record.next((event) => event.kind === 'synced');
  await twoSecondsOfHeartbeats(server.url);
  assert.deepEqual(record.events, [{ kind: 'synced', refs: [] }]);
});

async function twoSecondsOfHeartbeats(url: string): Promise<void> {
  const begun = performance.now();
  const { body } = await request(`${url}/system/watch`);
  for await (const _beat of body) if (performance.now() - begun > 2_000) return;
}

test('listeners share one stream; the last one to leave ends it, and nothing old is told to the next', async (t) => {
  const memory = new MemoryProvider();
  await memory.deploy(exampleSpec(hello));
  const { remote } = await remoteOver(t, memory);
  const records = [recordEvents(remote), recordEvents(remote), recordEvents(remote)];
  for (const record of records) await record.next((event) => event.kind === 'synced');
  assert.equal(memory.watchers, 1);
  for (const record of records) record.stop();
  await eventually(() => memory.watchers === 0);
  await memory.remove(hello);
  const next = recordEvents(remote);
  assert.deepEqual(await next.next(() => true), { kind: 'synced', refs: [] });
});

test('what the provider refuses is refused with its reason', async (t) => {
  const memory = new MemoryProvider();
  const { remote } = await remoteOver(t, memory);
  await assert.rejects(remote.deploy({ ...exampleSpec(hello), name: 'No Name' }), (error: Error) => {
    assert.ok(error instanceof InvalidFunction);
    assert.match(error.message, /No Name/);
    return true;
  });
  await remote.deploy(exampleSpec(hello));
  await assert.rejects(remote.deploy(exampleSpec(hello)), FunctionExists);
  await assert.rejects(remote.remove(other), FunctionNotFound);
});

test('wrong credentials make the provider unavailable, and the message says why', async (t) => {
  const server = await serve(new MemoryProvider(), { credentials });
  const remote = createRemoteProvider({ url: server.url, credentials: { ...credentials, password: 'wrong' }, log });
  t.after(async () => {
    await remote.close();
    await server.close();
  });
  await assert.rejects(remote.list('openfaas-fn'), (error: Error) => {
    assert.ok(error instanceof ProviderUnavailable);
    assert.match(error.message, /credentials/);
    return true;
  });
});

for (const [name, status, body] of [
  ['something that is no JSON', 200, '<html>'],
  ['JSON of another shape', 200, '[{"name":1}]'],
  ['a failure', 500, 'boom'],
  ['a redirect', 302, ''],
] as const) {
  test(`a server that answers with ${name} is no provider`, async (t) => {
    const server = createServer((_request, response) => {
      response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end(body);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const remote = createRemoteProvider({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, log });
    t.after(async () => {
      await remote.close();
      server.close();
    });
    await assert.rejects(remote.list('openfaas-fn'), ProviderUnavailable);
  });
}

test('a provider that never answers is given up after the deadline', async (t) => {
  const server = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const remote = createRemoteProvider({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, log, deadlineMs: 100 });
  t.after(async () => {
    await remote.close();
    server.closeAllConnections();
    server.close();
  });
  await assert.rejects(remote.list('openfaas-fn'), ProviderUnavailable);
  await assert.rejects(remote.logs({ ...hello, follow: true, signal: AbortSignal.timeout(60_000) }), ProviderUnavailable);
});

const line = (text: string, timestamp = new Date().toISOString()): LogLine => ({ ...hello, instance: 'hello-1', timestamp, text });

test('a log is read to its end, from the beginning, unless asked for less', async (t) => {
  const memory = new MemoryProvider();
  await memory.deploy(exampleSpec(hello));
  const { remote } = await remoteOver(t, memory);
  const lines = [line('old', '2020-01-01T00:00:00.5Z'), line('größer\tas\\n "it" was'), line('')];
  for (const each of lines) memory.write(each);
  const read = async (query: { tail?: number; since?: Date; instance?: string }): Promise<LogLine[]> =>
    collect(await remote.logs({ ...hello, ...query, follow: false, signal: AbortSignal.timeout(10_000) }));
  assert.deepEqual(await read({}), lines);
  assert.deepEqual(await read({ tail: 1 }), lines.slice(2));
  assert.deepEqual(await read({ since: new Date('2021-01-01') }), lines.slice(1));
  assert.deepEqual(await read({ instance: 'hello-2' }), []);
});

test('a followed log gives each line as it is written and ends with its signal, on both sides', async (t) => {
  const memory = new MemoryProvider();
  await memory.deploy(exampleSpec(hello));
  const { remote } = await remoteOver(t, memory);
  memory.write(line('first'));
  const leave = new AbortController();
  const read: string[] = [];
  for await (const { text } of await remote.logs({ ...hello, follow: true, signal: leave.signal })) {
    read.push(text);
    if (text === 'first') memory.write(line('second'));
    else leave.abort();
  }
  assert.deepEqual(read, ['first', 'second']);
  await eventually(() => memory.followers === 0);
});

test('a provider that closes ends a followed log; one that breaks it off says so', async (t) => {
  const memory = new MemoryProvider();
  await memory.deploy(exampleSpec(hello));
  const { server, remote } = await remoteOver(t, memory);
  const lines = await remote.logs({ ...hello, follow: true, signal: AbortSignal.timeout(60_000) });
  const [read] = await Promise.all([collect(lines), server.close()]);
  assert.deepEqual(read, []);

  const dying = createServer((_request, response) => {
    response.write(`${JSON.stringify(line('last'))}\n`, () => response.destroy());
  }).listen(Number(new URL(server.url).port), '127.0.0.1');
  t.after(() => dying.close());
  await once(dying, 'listening');
  const broken = await remote.logs({ ...hello, follow: true, signal: AbortSignal.timeout(60_000) });
  await assert.rejects(collect(broken), ProviderUnavailable);
});

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}
