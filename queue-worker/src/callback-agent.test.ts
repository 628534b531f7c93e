import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCallbackAllow } from '@postern/queue';
import { type Resolve, callbackAgent } from './callback-agent.js';
import { Deadlines } from './deadlines.js';
import { AddressRefused, Unreachable } from './errors.js';
import { exchange } from './http-exchange.js';
import { startServer } from './testing/fixtures.js';

const deadlines = new Deadlines();
const limits = { timeoutMs: 30_000, timeoutMessage: 'too late', maxBodyBytes: 1_000, whenLonger: 'stop' as const, signal: new AbortController().signal };

/** POSTs to `host` at the port of a server on loopback, whose names resolve to `addresses`. */
async function reach(host: string, addresses: readonly string[], allow: readonly string[]): Promise<{ requests: number; hostHeader: string | undefined; error: unknown }> {
  const server = await startServer((res) => { res.end(); });
  const resolve: Resolve = (_name, callback) => {
    callback(null, addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
  };
  const agent = callbackAgent({ allow: parseCallbackAllow(allow), resolve, connectTimeoutMs: 10_000 });
  const request = { origin: `http://${host}:${server.port}`, target: '/', method: 'POST', headers: [], body: new Uint8Array() };
  try {
    const error: unknown = await exchange(agent, request, limits, deadlines).then(() => undefined, (thrown: unknown) => thrown);
    return { requests: server.seen.length, hostHeader: server.seen[0]?.headers.host, error };
  } finally {
    await agent.destroy();
    await server.close();
  }
}

for (const [host, addresses, why] of [
  ['rebound.example', ['127.0.0.1'], 'a public name that resolves to loopback'],
  ['rebound.example', ['::ffff:127.0.0.1'], 'a name that resolves to loopback mapped into IPv6'],
  ['rebound.example', ['10.0.0.1', '169.254.169.254'], 'a name with several private addresses'],
  ['rebound.example', [], 'a name without addresses'],
  ['127.0.0.1', [], 'a literal loopback address'],
  ['[::1]', [], 'a literal IPv6 loopback address'],
  ['[::ffff:127.0.0.1]', [], 'a literal loopback address mapped into IPv6'],
] as const) {
  test(`${why} is refused, and nothing is sent`, async () => {
    const { requests, error } = await reach(host, addresses, []);
    assert.ok(error instanceof AddressRefused, String(error));
    assert.match(error.message, /callback_allow/);
    assert.equal(requests, 0);
  });
}

test('the connection is made to the address that was checked, under the URL\'s own name', async () => {
  const { requests, hostHeader, error } = await reach('hook.example', ['127.0.0.1'], ['127.0.0.0/8']);
  assert.equal(error, undefined);
  assert.equal(requests, 1);
  assert.match(String(hostHeader), /^hook\.example:/);
});

test('among several addresses only the allowed ones are tried', async () => {
  const { requests, error } = await reach('hook.example', ['10.255.255.1', '127.0.0.1'], ['127.0.0.1']);
  assert.equal(error, undefined);
  assert.equal(requests, 1);
});

test('an allowed host name may lead to loopback, a literal address is reached when its range is allowed', async () => {
  assert.equal((await reach('hook.example', ['127.0.0.1'], ['hook.example'])).requests, 1);
  assert.equal((await reach('127.0.0.1', [], ['127.0.0.0/8'])).requests, 1);
});

test('a name that cannot be resolved is unreachable, not refused', async () => {
  const agent = callbackAgent({
    allow: parseCallbackAllow([]), connectTimeoutMs: 10_000,
    resolve: (name, callback) => { callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' }), []); },
  });
  const request = { origin: 'http://nowhere.example', target: '/', method: 'POST', headers: [], body: new Uint8Array() };
  await assert.rejects(exchange(agent, request, limits, deadlines), (error) => error instanceof Unreachable && error.message.includes('ENOTFOUND'));
  await agent.destroy();
});
