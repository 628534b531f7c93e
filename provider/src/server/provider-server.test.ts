import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { request, type Dispatcher } from 'undici';
import { basicAuthHeader } from '@postern/settings';
import type { FunctionRef, LogLine } from '../provider.js';
import { eventually } from '../testing/eventually.js';
import { exampleSpec } from '../testing/example-spec.js';
import { MemoryProvider } from '../testing/memory-provider.js';
import { parseLogQuery } from './logs-route.js';
import { createProviderServer, type ProviderServerOptions } from './provider-server.js';

const log = pino({ level: 'silent' });
const hello: FunctionRef = { name: 'hello', namespace: 'openfaas-fn' };
const staging: FunctionRef = { name: 'hello', namespace: 'staging' };
const credentials = { user: 'admin', password: 'secret' };

interface Answer { readonly status: number; readonly headers: Dispatcher.ResponseData['headers']; readonly text: string }

async function served(t: TestContext, options: Partial<ProviderServerOptions> = {}): Promise<{
  readonly memory: MemoryProvider;
  readonly url: string;
  close(): Promise<void>;
  ask(method: string, path: string, body?: object | string, headers?: Record<string, string>): Promise<Answer>;
}> {
  const memory = new MemoryProvider();
  const server = await createProviderServer(memory, { host: '127.0.0.1', port: 0, defaultNamespace: 'openfaas-fn', log, ...options });
  t.after(() => server.close());
  return {
    memory,
    url: server.url,
    close: () => server.close(),
    ask: async (method, path, body, headers = {}) => {
      // The cast: undici names the methods it knows, and a test may use others.
      const response = await request(`${server.url}${path}`, {
        method: method as Dispatcher.HttpMethod, headers, ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      return { status: response.statusCode, headers: response.headers, text: await response.body.text() };
    },
  };
}

function assertError(answer: Answer, status: number, code: string, message = /./): void {
  assert.equal(answer.status, status, answer.text);
  assert.match(String(answer.headers['content-type']), /^application\/json/);
  const { error } = JSON.parse(answer.text) as { error: { code: string; message: string } };
  assert.equal(error.code, code);
  assert.match(error.message, message);
}

test('a function is deployed, seen, updated, scaled and removed, as faas-cli does it', async (t) => {
  const { memory, ask } = await served(t);
  const deployment = { service: 'hello', image: 'postern/hello:1', labels: null, annotations: null, network: 'ignored' };
  assert.equal((await ask('POST', '/system/functions', deployment)).status, 202);
  assert.equal((await memory.get(hello))?.spec.image, 'postern/hello:1');

  assert.equal((await ask('PUT', '/system/functions', { ...deployment, image: 'postern/hello:2', namespace: 'openfaas-fn' })).status, 202);
  memory.setEndpoints(hello, [{ replica: 'hello-1', url: 'http://127.0.0.1:9001' }]);
  const got = JSON.parse((await ask('GET', '/system/function/hello')).text) as Record<string, unknown>;
  assert.equal(got['image'], 'postern/hello:2');
  assert.equal(got['availableReplicas'], 1);
  const listed = await ask('GET', '/system/functions');
  assert.match(String(listed.headers['content-type']), /^application\/json/);
  assert.deepEqual(JSON.parse(listed.text), [got]);

  assert.equal((await ask('POST', '/system/scale-function/hello', { serviceName: 'hello', replicas: 3 })).status, 202);
  assert.equal((await memory.get(hello))?.replicas, 3);
  assert.equal((await ask('DELETE', '/system/functions', { functionName: 'hello' })).status, 202);
  assert.equal(await memory.get(hello), undefined);
});

test('the namespace may stand in the query or in the body, and the body wins', async (t) => {
  const { memory, ask } = await served(t);
  const deployment = { service: 'hello', image: 'x' };
  assert.equal((await ask('POST', '/system/functions?namespace=staging', deployment)).status, 202);
  assert.equal((await ask('POST', '/system/functions?namespace=nowhere', { ...deployment, namespace: 'openfaas-fn' })).status, 202);
  assert.ok(await memory.get(staging));
  assert.ok(await memory.get(hello));
  assert.equal((JSON.parse((await ask('GET', '/system/function/hello?namespace=staging')).text) as { namespace: string }).namespace, 'staging');
  assert.equal((await ask('POST', '/system/scale-function/hello?namespace=staging', { replicas: 0 })).status, 202);
  assert.equal((await memory.get(staging))?.replicas, 0);
  assert.equal((await ask('DELETE', '/system/functions?namespace=staging', { functionName: 'hello' })).status, 202);
  assert.deepEqual(JSON.parse((await ask('GET', '/system/functions?namespace=staging')).text), []);
  assert.equal((await ask('DELETE', '/system/functions?namespace=staging', { functionName: 'hello', namespace: 'openfaas-fn' })).status, 202);
  assert.equal(await memory.get(hello), undefined);
});

test('info and namespaces have the shapes OpenFaaS gives them', async (t) => {
  const { memory, ask } = await served(t);
  assert.deepEqual(JSON.parse((await ask('GET', '/system/info')).text),
    { provider: 'postern-memory', orchestration: 'memory', version: { release: '0.0.0', sha: '' } });
  assert.deepEqual(JSON.parse((await ask('GET', '/system/namespaces')).text), ['openfaas-fn']);
  await memory.deploy(exampleSpec(staging));
  await memory.deploy(exampleSpec(hello));
  assert.deepEqual(JSON.parse((await ask('GET', '/system/namespaces')).text), ['openfaas-fn', 'staging']);
  assert.equal(memory.watchers, 0);
});

for (const [name, method, path, body, status, code, message] of [
  ['a second deployment', 'POST', '/system/functions', { service: 'there', image: 'x' }, 409, 'function_exists', /there/],
  ['an update of nothing', 'PUT', '/system/functions', { service: 'absent', image: 'x' }, 404, 'function_not_found', /absent/],
  ['a removal of nothing', 'DELETE', '/system/functions', { functionName: 'absent' }, 404, 'function_not_found', /absent/],
  ['a look at nothing', 'GET', '/system/function/absent', undefined, 404, 'function_not_found', /absent/],
  ['scaling nothing', 'POST', '/system/scale-function/absent', { replicas: 1 }, 404, 'function_not_found', /absent/],
  ['the log of nothing', 'GET', '/system/logs?name=absent', undefined, 404, 'function_not_found', /absent/],
  ['a bad name', 'POST', '/system/functions', { service: 'No Name', image: 'x' }, 400, 'invalid_function', /service/],
  ['a value of the wrong type', 'PUT', '/system/functions', { service: 'there', image: 'x', envVars: { a: 1 } }, 400, 'invalid_function', /envVars\.a/],
  ['JSON that breaks off', 'POST', '/system/functions', '{"service":', 400, 'bad_request', /JSON/],
  ['a body that is no object', 'POST', '/system/functions', '[1]', 400, 'invalid_function', /object/],
  ['no body', 'POST', '/system/functions', undefined, 400, 'invalid_function', /service/],
  ['a removal without a name', 'DELETE', '/system/functions', {}, 400, 'bad_request', /functionName/],
  ['a removal without a body', 'DELETE', '/system/functions', undefined, 400, 'bad_request', /functionName/],
  ['fewer than no replicas', 'POST', '/system/scale-function/there', { replicas: -1 }, 400, 'bad_request', /replicas/],
  ['half a replica', 'POST', '/system/scale-function/there', { replicas: 0.5 }, 400, 'bad_request', /replicas/],
  ['two namespaces at once', 'GET', '/system/functions?namespace=a&namespace=b', undefined, 400, 'bad_request', /namespace/],
  ['a path that cannot be decoded', 'GET', '/system/function/%ff', undefined, 400, 'bad_request', /./],
  ['a log of no function', 'GET', '/system/logs', undefined, 422, 'bad_log_query', /name/],
  ['a log since no time', 'GET', '/system/logs?name=there&since=yesterday', undefined, 422, 'bad_log_query', /since.*RFC 3339/],
  ['a log of a path instead of a replica', 'GET', '/system/logs?name=there&instance=../../there', undefined, 422, 'bad_log_query', /instance/],
  ['an unknown path', 'GET', '/system/nothing', undefined, 404, 'not_found', /system\/nothing/],
  ['an invocation, which is the gateway\'s', 'GET', '/function/there', undefined, 404, 'not_found', /function\/there/],
] as const) {
  test(`${name} is answered ${status} ${code}`, async (t) => {
    const { memory, ask } = await served(t);
    await memory.deploy(exampleSpec({ name: 'there', namespace: 'openfaas-fn' }));
    const before = await memory.list('openfaas-fn');
    assertError(await ask(method, path, body), status, code, message);
    assert.deepEqual(await memory.list('openfaas-fn'), before);
  });
}

for (const [method, path, allow] of [
  ['PATCH', '/system/functions', 'GET, POST, PUT, DELETE'],
  ['POST', '/system/function/hello', 'GET'],
  ['GET', '/system/scale-function/hello', 'POST'],
  ['POST', '/system/info', 'GET'],
  ['DELETE', '/system/namespaces', 'GET'],
  ['POST', '/system/logs', 'GET'],
  ['PUT', '/system/watch', 'GET'],
  ['POST', '/healthz', 'GET, HEAD'],
] as const) {
  test(`${method} ${path} is answered 405 with what it takes`, async (t) => {
    const { ask } = await served(t);
    const answer = await ask(method, path);
    assertError(answer, 405, 'method_not_allowed');
    assert.equal(answer.headers['allow'], allow);
  });
}

test('HEAD of a stream does not start it', async (t) => {
  const { memory, ask } = await served(t);
  assert.equal((await ask('HEAD', '/system/watch')).status, 405);
  assert.equal(memory.watchers, 0);
});

test('a body of more than 1 MiB is answered 413', async (t) => {
  const { ask } = await served(t);
  assertError(await ask('POST', '/system/functions', { service: 'hello', image: 'x'.repeat(1024 * 1024) }), 413, 'body_too_large');
});

test('what nobody foresaw is a 500 that tells no details', async (t) => {
  const { memory, ask } = await served(t);
  memory.list = async () => { throw new Error('the password is 1234'); };
  const answer = await ask('GET', '/system/functions');
  assertError(answer, 500, 'internal_error');
  assert.doesNotMatch(answer.text, /1234/);
});

test('with credentials every path but /healthz asks for them', async (t) => {
  const { ask } = await served(t, { credentials });
  for (const path of ['/system/functions', '/system/function/a', '/system/scale-function/a', '/system/info', '/system/namespaces', '/system/logs', '/system/watch', '/nothing']) {
    for (const authorization of ['', basicAuthHeader({ ...credentials, password: 'guess' })]) {
      const answer = await ask('GET', path, undefined, { authorization });
      assertError(answer, 401, 'unauthorized', /^invalid credentials$/);
      assert.equal(answer.headers['www-authenticate'], 'Basic realm="Restricted"');
    }
  }
  for (const method of ['GET', 'HEAD']) assert.equal((await ask(method, '/healthz')).status, 200);
  assert.equal((await ask('GET', '/system/info', undefined, { authorization: basicAuthHeader(credentials) })).status, 200);
});

test('without credentials a page of another site changes nothing', async (t) => {
  const { memory, ask } = await served(t);
  const deployment = { service: 'hello', image: 'x' };
  assertError(await ask('POST', '/system/functions', deployment, { origin: 'https://evil.example' }), 403, 'forbidden', /evil/);
  assertError(await ask('GET', '/system/functions', undefined, { host: 'evil.example' }), 403, 'forbidden', /basic_auth/);
  assert.equal(await memory.get(hello), undefined);
  assert.equal((await ask('GET', '/healthz', undefined, { host: '10.0.0.7:8081' })).status, 200, 'a probe by address');
  assert.equal((await ask('POST', '/system/functions', deployment, { host: 'localhost:8081' })).status, 202);
});

/** Reads lines until enough have come, and leaves. */
async function readSome(url: string, enough: (lines: readonly string[]) => boolean): Promise<string[]> {
  const { body } = await request(url);
  let text = '';
  for await (const chunk of body.setEncoding('utf8')) {
    text += String(chunk);
    const lines = text.split('\n').slice(0, -1);
    if (enough(lines)) return lines;
  }
  throw new Error(`the stream ended early: ${text}`);
}

test('the watch tells the snapshot, beats while nothing happens, and lets go of a client that left', async (t) => {
  const { memory, url } = await served(t, { heartbeatMs: 10 });
  await memory.deploy(exampleSpec(hello));
  const lines = await readSome(`${url}/system/watch`, (told) => told.includes('') && told.length > 3);
  const [changed, synced, ...rest] = lines;
  assert.equal((JSON.parse(changed ?? '') as { kind: string }).kind, 'changed');
  assert.deepEqual(JSON.parse(synced ?? ''), { kind: 'synced', refs: [hello] });
  assert.ok(rest.every((line) => line === ''));
  await eventually(() => memory.watchers === 0);
});

test('a client that never reads the watch is cut off, and the others are not', async (t) => {
  const { memory, url } = await served(t);
  const { hostname, port } = new URL(url);
  const deaf = connect(Number(port), hostname);
  t.after(() => deaf.destroy());
  deaf.on('error', () => undefined);
  deaf.pause();
  deaf.write('GET /system/watch HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await eventually(() => memory.watchers === 1);
  await memory.deploy({ ...exampleSpec(hello), envVars: { long: 'x'.repeat(1_000_000) } });
  for (let replicas = 0; memory.watchers > 0; replicas += 1) {
    assert.ok(replicas < 1_000, 'a gigabyte waits for a client that does not read');
    await memory.scale(hello, replicas);
    await new Promise((resolve) => setImmediate(resolve));
  }
});

test('a followed log is sent line by line until the client leaves', async (t) => {
  const { memory, url } = await served(t);
  await memory.deploy(exampleSpec(hello));
  const line: LogLine = { ...hello, instance: 'hello-1', timestamp: new Date().toISOString(), text: 'one' };
  memory.write(line);
  const lines = await readSome(`${url}/system/logs?name=hello&follow=true`, (told) => {
    if (told.length === 1) memory.write({ ...line, text: 'two' });
    return told.length === 2;
  });
  assert.deepEqual(lines.map((each) => JSON.parse(each) as LogLine), [line, { ...line, text: 'two' }]);
  await eventually(() => memory.followers === 0);
});

test('closing ends the streams and lets nothing of the provider go', async () => {
  const memory = new MemoryProvider();
  await memory.deploy(exampleSpec(hello));
  // No connection may wait for the grace to end: it would be an hour.
  const server = await createProviderServer(memory, { host: '127.0.0.1', port: 0, defaultNamespace: 'openfaas-fn', log, graceMs: 3_600_000 });
  const streams = await Promise.all(['/system/watch', '/system/logs?name=hello&follow=1'].map((path) => request(`${server.url}${path}`)));
  await eventually(() => memory.watchers === 1 && memory.followers === 1);
  await Promise.all([server.close(), server.close(), ...streams.map(({ body }) => body.text())]);
  assert.equal(memory.watchers, 0);
  assert.equal(memory.followers, 0);
  assert.ok(await memory.get(hello));
});

test('closing waits for a request under way', async (t) => {
  const { memory, ask, close } = await served(t, { graceMs: 3_600_000 });
  const asked = heldList(memory);
  const answer = ask('GET', '/system/functions');
  const finish = await asked;
  const closed = close();
  finish();
  assert.equal((await answer).status, 200);
  await closed;
});

test('closing does not wait for a connection over which nothing was ever asked', async (t) => {
  const { url, close } = await served(t, { graceMs: 3_600_000 });
  const { hostname, port } = new URL(url);
  const silent = connect(Number(port), hostname);
  t.after(() => silent.destroy());
  await once(silent, 'connect');
  // Connections are accepted in the order they were made: once a later one is answered, the server has this one.
  await (await request(`${url}/healthz`)).body.dump();
  await close();
});

test('closing cuts a request that outlasts the grace', async (t) => {
  const { memory, ask, close } = await served(t, { graceMs: 50 });
  const asked = heldList(memory);
  const cut = assert.rejects(ask('GET', '/system/functions'), /closed/);
  await asked;
  await close();
  await cut;
});

/** Resolves when the server asks for a list of functions, with what lets it have one. */
function heldList(memory: MemoryProvider): Promise<() => void> {
  return new Promise((asked) => {
    memory.list = () => new Promise((resolve) => asked(() => resolve([])));
  });
}

test('a port in use is an error, not a hang', async (t) => {
  const { memory, url } = await served(t);
  await assert.rejects(
    createProviderServer(memory, { host: '127.0.0.1', port: Number(new URL(url).port), defaultNamespace: 'openfaas-fn', log }), /port \d+ on 127\.0\.0\.1 is in use/);
});

test('a log query reads as OpenFaaS reads it', () => {
  const now = Date.parse('2026-01-01T12:00:00Z');
  const read = (query: object): object => parseLogQuery({ name: 'hello', ...query }, 'openfaas-fn', now);
  const since = new Date('2026-01-01T11:55:00Z');
  assert.deepEqual(read({}), { ...hello, follow: false, since }, 'the last five minutes');
  assert.deepEqual(read({ tail: '10' }), { ...hello, follow: false, tail: 10 });
  assert.deepEqual(read({ tail: '-1', follow: '1' }), { ...hello, follow: true }, 'all there is');
  assert.deepEqual(read({ tail: '0', follow: 'false' }), { ...hello, follow: false });
  assert.deepEqual(read({ since: '2026-01-01T12:55:00+01:00', instance: 'a', namespace: 'x' }),
    { name: 'hello', namespace: 'x', instance: 'a', follow: false, since });
});
