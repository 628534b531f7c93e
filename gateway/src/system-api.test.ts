import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { request } from 'undici';
import { startFixture, startReplica } from './testing/fixture.js';

const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

test('/healthz answers GET and HEAD', async (t) => {
  const { url } = await startFixture(t);
  assert.equal(await (await request(`${url}/healthz`)).body.text(), 'OK');
  const head = await request(`${url}/healthz`, { method: 'HEAD' });
  assert.equal(head.statusCode, 200);
  await head.body.dump();
});

test('functions are deployed, listed with their calls counted, updated and removed', async (t) => {
  const { url, provider } = await startFixture(t);
  const functions = `${url}/system/functions`;
  const deploy = (method: 'POST' | 'PUT', service = 'hello') => request(functions, { method, body: JSON.stringify({ service, image: 'x:1', labels: null }) });
  assert.equal((await deploy('PUT')).statusCode, 404);
  assert.equal((await deploy('POST')).statusCode, 202);
  assert.equal((await deploy('POST')).statusCode, 409);
  assert.equal((await deploy('PUT')).statusCode, 202);
  provider.setEndpoints({ name: 'hello', namespace: 'openfaas-fn' }, [{ replica: 'hello-0', url: await startReplica(t, (_req, res) => { res.end('hi'); }) }]);
  for (let i = 0; i < 3; i++) await (await request(`${url}/function/hello`)).body.dump();
  const [hello, ...others] = await (await request(functions)).body.json() as Record<string, unknown>[];
  assert.equal(others.length, 0);
  assert.equal(hello?.['name'], 'hello');
  assert.equal(hello?.['image'], 'x:1');
  assert.equal(hello?.['invocationCount'], 3);
  assert.equal(hello?.['availableReplicas'], 1);
  assert.equal(hello?.['endpoints'], undefined, 'where replicas are is nobody\'s business');
  const one = await (await request(`${url}/system/function/hello`)).body.json() as Record<string, unknown>;
  assert.equal(one['name'], 'hello');
  assert.equal((await request(functions, { method: 'DELETE', body: JSON.stringify({ functionName: 'hello' }) })).statusCode, 202);
  assert.equal((await request(`${url}/function/hello`)).statusCode, 404);
  assert.doesNotMatch(await (await request(`${url}/metrics`)).body.text(), /function_name="hello/, 'its series go with it');
  assert.equal((await request(`${url}/system/function/hello`)).statusCode, 404);
});

for (const [what, init, status] of [
  ['invalid JSON', { method: 'POST', body: '{"service": ' }, 400],
  ['JSON that is no deployment', { method: 'POST', body: '[]' }, 400],
  ['a name with capitals', { method: 'POST', body: '{"service":"Hello","image":"x"}' }, 400],
  ['a name shaped like a call id', { method: 'POST', body: '{"service":"0b0c5d5e-8f0b-4b0e-9a0c-3f5d5e8f0b4b","image":"x"}' }, 400],
  ['a method that is none of its', { method: 'PATCH', body: '{}' }, 405],
  ['a page of another site', { method: 'POST', body: '{"service":"x","image":"x"}', headers: { origin: 'https://evil.example' } }, 403],
] as const) {
  test(`/system/functions answers ${what} with ${status} and a JSON error`, async (t) => {
    const { url, provider } = await startFixture(t);
    const answer = await request(`${url}/system/functions`, init);
    assert.equal(answer.statusCode, status);
    const { error } = await answer.body.json() as { error: { code: string; message: string } };
    assert.ok(error.code !== '' && error.message !== '');
    assert.deepEqual(await provider.list('openfaas-fn'), []);
  });
}

test('/system/info names the provider and the version', async (t) => {
  const { url } = await startFixture(t);
  assert.deepEqual(await (await request(`${url}/system/info`)).body.json(), {
    provider: { provider: 'postern-memory', orchestration: 'memory', version: { sha: '', release: '0.0.0' } },
    version: { sha: '', release: '0.0.0-test' }, arch: process.arch,
  });
});

test('/metrics has OpenFaaS\'s names, with labels of deployed functions only', async (t) => {
  const { url, deploy } = await startFixture(t);
  await deploy('hello', await startReplica(t, (_req, res) => { res.end('hi'); }));
  await (await request(`${url}/function/hello`)).body.dump();
  await (await request(`${url}/function/nobody`)).body.dump();
  const text = await (await request(`${url}/metrics`)).body.text();
  for (const line of [
    'gateway_function_invocation_total{function_name="hello.openfaas-fn",code="200"} 1',
    'gateway_function_invocation_started{function_name="hello.openfaas-fn"} 1',
    'gateway_function_invocation_inflight{function_name="hello.openfaas-fn"} 0',
    'gateway_functions_seconds_count{function_name="hello.openfaas-fn",code="200"} 1',
    'gateway_service_count{function_name="hello.openfaas-fn"} 1',
    'postern_gateway_refused_total{code="function_not_found"} 1',
  ]) assert.ok(text.includes(line), line);
  assert.ok(!text.includes('nobody'));
});

test('beyond loopback /system and /metrics ask for credentials, which are made and kept in files only their owner reads', async (t) => {
  const { url, gateway, deploy } = await startFixture(t, { HOST: '0.0.0.0' });
  await deploy('hello', await startReplica(t, (_req, res) => { res.end('hi'); }));
  const { credentials } = gateway;
  assert.ok(credentials);
  const authorization = basic(credentials.user, credentials.password);
  const file = join(credentials.dir, 'basic-auth-password');
  assert.equal((await readFile(file, 'utf8')).trim(), credentials.password);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.ok(credentials.password.length >= 24);
  for (const path of ['/system/functions', '/system/info', '/metrics']) {
    const refused = await request(`${url}${path}`, { headers: { authorization: basic('admin', 'guess') } });
    assert.equal(refused.statusCode, 401, path);
    assert.equal(refused.headers['www-authenticate'], 'Basic realm="Restricted"');
    await refused.body.dump();
    const accepted = await request(`${url}${path}`, { headers: { authorization } });
    assert.equal(accepted.statusCode, 200, path);
    await accepted.body.dump();
  }
  assert.equal((await request(`${url}/healthz`)).statusCode, 200);
  assert.equal(await (await request(`${url}/function/hello`)).body.text(), 'hi');
});

test('beyond loopback no callback may go to loopback, unless callback_allow says so', async (t) => {
  const send = (url: string) => request(`${url}/async-function/fn`, { method: 'POST', headers: { 'x-callback-url': 'http://127.0.0.1:9/' } });
  const closed = await startFixture(t, { HOST: '0.0.0.0' });
  await closed.deploy('fn');
  assert.equal((await send(closed.url)).statusCode, 400);
  const opened = await startFixture(t, { HOST: '0.0.0.0', callback_allow: '127.0.0.1' });
  await opened.deploy('fn');
  assert.equal((await send(opened.url)).statusCode, 202);
});

test('what is nowhere is a 404 with a JSON error', async (t) => {
  const { url } = await startFixture(t);
  const answer = await request(`${url}/nowhere`);
  assert.equal(answer.statusCode, 404);
  assert.equal((await answer.body.json() as { error: { code: string } }).error.code, 'not_found');
});
