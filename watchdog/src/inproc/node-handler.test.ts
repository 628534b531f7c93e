import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { test } from 'node:test';
import { serveHandler } from './testing/serve-handler.js';

test('a handler gets Node\'s own request and response', async (t) => {
  const { url } = await serveHandler(t, 'node', {
    'handler.mjs': 'export default (req, res) => { res.setHeader("x-path", req.url); res.statusCode = 201; req.pipe(res); }',
  });
  const response = await fetch(`${url}/a/b?c=d`, { method: 'PUT', body: 'bytes' });
  assert.equal(response.status, 201);
  assert.equal(response.headers.get('x-path'), '/a/b?c=d');
  assert.equal(await response.text(), 'bytes');
});

test('both bodies stream: what is sent comes back before the rest is sent', async (t) => {
  const { url } = await serveHandler(t, 'node', { 'handler.mjs': 'export default (req, res) => { req.pipe(res); }' });
  const sending = request(url, { method: 'POST' });
  sending.write('first');
  const [response] = await once(sending, 'response');
  assert.equal(String((await once(response, 'data'))[0]), 'first');
  sending.end('last');
  assert.equal(String((await once(response, 'data'))[0]), 'last');
});

test('an Express app is a handler', async (t) => {
  const { url } = await serveHandler(t, 'node', {
    'handler.mjs': `import express from 'express';
      const app = express();
      app.post('/hello/:name', express.json(), (req, res) => res.json({ hello: req.params.name, with: req.body }));
      export default app;`,
  });
  const response = await fetch(`${url}/hello/ada`, {
    method: 'POST', body: '{"n":1}', headers: { 'content-type': 'application/json' },
  });
  assert.deepEqual(await response.json(), { hello: 'ada', with: { n: 1 } });
});

test('a Fastify app is a handler', async (t) => {
  const { url } = await serveHandler(t, 'node', {
    'handler.mjs': `import Fastify from 'fastify';
      const app = Fastify();
      app.post('/hello/:name', async (request) => ({ hello: request.params.name, with: request.body }));
      app.get('/boom', async () => { throw new Error('no'); });
      export default app;`,
  });
  const response = await fetch(`${url}/hello/ada`, {
    method: 'POST', body: '{"n":1}', headers: { 'content-type': 'application/json' },
  });
  assert.deepEqual(await response.json(), { hello: 'ada', with: { n: 1 } });
  assert.equal((await fetch(`${url}/boom`)).status, 500);
});

const failures: readonly (readonly [what: string, handler: string])[] = [
  ['ends with an interim status', '(req, res) => { res.statusCode = 101; res.end("x"); }'],
  ['writes an interim head', '(req, res) => { res.writeHead(103, { link: "x" }); res.end("x"); }'],
  ['throws', '() => { throw new Error("no"); }'],
  ['rejects', 'async () => { await null; throw new Error("no"); }'],
  ['throws something that is no error', '() => { throw { odd: 1 }; }'],
  ['has set headers and then throws', '(req, res) => { res.setHeader("content-length", "9"); res.setHeader("x-a", "b"); throw new Error("no"); }'],
];
for (const [what, handler] of failures) {
  test(`a handler that ${what} is answered 500 in JSON, without the error's text`, async (t) => {
    const { url } = await serveHandler(t, 'node', { 'handler.mjs': `export default ${handler}` });
    const response = await fetch(url);
    assert.equal(response.status, 500);
    assert.equal(response.headers.get('x-openfaas-internal'), 'of-watchdog');
    assert.equal(response.headers.get('x-a'), null);
    assert.deepEqual(await response.json(), { error: { code: 'function_failed', message: 'the function failed; its log says how' } });
  });
}

test('a handler that fails after half an answer has its connection cut', async (t) => {
  const { url } = await serveHandler(t, 'node', {
    'handler.mjs': 'export default async (req, res) => { res.write("half"); await new Promise(setImmediate); throw new Error("no"); }',
  });
  await assert.rejects(async () => (await fetch(url)).text(), TypeError);
});

test('a second answer is ignored and the next call is served', async (t) => {
  const { url } = await serveHandler(t, 'node', {
    'handler.mjs': 'export default (req, res) => { res.end("one"); res.end("two"); res.write("three"); res.writeHead(500); }',
  });
  for (const call of [1, 2]) assert.equal(await (await fetch(url)).text(), 'one', `call ${call}`);
});

test('a handler that never answers gets 504 at the deadline, and may go on to answer in vain', async (t) => {
  const { url, passDeadline } = await serveHandler(t, 'node', {
    'handler.mjs': `export default (req, res) => {
      if (req.url === '/late') return void globalThis.late();
      if (req.url === '/fine') return void res.end('fine');
      globalThis.late = () => { res.writeHead(200, { 'content-type': 'text/plain' }); res.write('too'); res.end('late'); };
      globalThis.called();
    }`,
  });
  const called = new Promise((resolve) => Object.assign(globalThis, { called: resolve }));
  const answer = fetch(url);
  await called;
  passDeadline();
  const response = await answer;
  assert.equal(response.status, 504);
  assert.deepEqual(await response.json(), { error: { code: 'exec_timeout', message: 'the function did not answer within 1s (exec_timeout)' } });
  const late = fetch(`${url}/late`);
  assert.equal(await (await fetch(`${url}/fine`)).text(), 'fine');
  passDeadline();
  assert.equal((await late).status, 504);
});

test('an export that is no handler is refused at start, with what was expected', async (t) => {
  await assert.rejects(serveHandler(t, 'node', { 'handler.mjs': 'export const handle = 1;' }),
    /handler\.mjs: exports no handler; expected `export default \(req, res\) => …`/);
});
