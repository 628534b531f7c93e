import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { serveHandler, type Served } from '../testing/serve-handler.js';

const serve = (t: TestContext, handler: string): Promise<Served> => serveHandler(t, 'web', { 'handler.mjs': `export default ${handler}` });

const answers: readonly (readonly [what: string, handler: string, status: number, headers: Record<string, string | null>, body: string])[] = [
  ['a text', '() => new Response("hello")', 200, { 'content-type': 'text/plain;charset=UTF-8', 'content-length': '5' }, 'hello'],
  ['JSON', '() => Response.json({ a: 1 }, { status: 201 })', 201, { 'content-type': 'application/json' }, '{"a":1}'],
  ['bytes', '() => new Response(new Uint8Array([104, 105]))', 200, { 'content-type': null, 'content-length': '2' }, 'hi'],
  ['nothing', '() => new Response()', 200, { 'content-length': '0' }, ''],
  ['no content', '() => new Response(null, { status: 204 })', 204, { 'content-length': null }, ''],
  ['a blob', '() => new Response(new Blob(["blob"], { type: "text/x" }))', 200, { 'content-type': 'text/x' }, 'blob'],
  ['a form', '() => new Response(new URLSearchParams({ a: "b c" }))', 200, { 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' }, 'a=b+c'],
  ['a stream', '() => new Response(new Blob(["stre", "am"]).stream())', 200, { 'transfer-encoding': 'chunked' }, 'stream'],
  ['headers changed later', '() => { const r = new Response("x", { headers: { A: "1" } }); r.headers.set("a", "2"); r.headers.append("b", "3"); return r; }', 200, { a: '2', b: '3', 'content-type': 'text/plain;charset=UTF-8' }, 'x'],
  ['headers as pairs and a wrong length', '() => new Response("x", { headers: [["content-length", "99"], ["Content-Type", "a/b"]] })', 200, { 'content-length': '1', 'content-type': 'a/b' }, 'x'],
  ['a clone', '() => { const r = new Response("x", { status: 202, headers: { a: "1" } }); return r.clone(); }', 202, { a: '1' }, 'x'],
  ['a response whose clone was read', 'async () => { const r = new Response("x"); if (await r.clone().text() !== "x") throw 1; return r; }', 200, {}, 'x'],
  ['one made from another\'s body', '() => { const r = new Response("inner"); return new Response(r.body, r); }', 200, { 'content-type': 'text/plain;charset=UTF-8' }, 'inner'],
  ['a redirect', '() => Response.redirect("http://127.0.0.1/x", 303)', 303, { location: 'http://127.0.0.1/x' }, ''],
];
for (const [what, handler, status, headers, body] of answers) {
  test(`${what} is sent as the platform would`, async (t) => {
    const { url } = await serve(t, handler);
    const response = await fetch(url, { redirect: 'manual' });
    assert.equal(response.status, status);
    for (const [name, value] of Object.entries(headers)) assert.equal(response.headers.get(name), value, name);
    assert.equal(await response.text(), body);
  });
}

test('each cookie keeps its own line', async (t) => {
  const { url } = await serve(t, '() => { const r = new Response("x"); r.headers.append("set-cookie", "a=1"); r.headers.append("set-cookie", "b=2"); return r; }');
  assert.deepEqual((await fetch(url)).headers.getSetCookie(), ['a=1', 'b=2']);
});

test('an object with fetch is a handler, and keeps its this', async (t) => {
  const { url } = await serve(t, '{ word: "hi", fetch(request) { return new Response(this.word + new URL(request.url).pathname); } }');
  assert.equal(await (await fetch(`${url}/x`)).text(), 'hi/x');
});

test('a request shows method, URL, headers and body', async (t) => {
  const { url } = await serve(t, `async (request) => Response.json({
    method: request.method, url: request.url, one: request.headers.get('X-One'), isRequest: request instanceof Request,
    used: request.bodyUsed, body: await request.json(), usedNow: request.bodyUsed, again: await request.text().catch((e) => e.name),
  })`);
  const response = await fetch(`${url}/a/../b?q=%20x`, { method: 'POST', body: '{"n":1}', headers: { 'x-one': '1' } });
  assert.deepEqual(await response.json(), {
    method: 'POST', url: `${url}/b?q=%20x`, one: '1', isRequest: true, used: false, body: { n: 1 }, usedNow: true, again: 'TypeError',
  });
});

for (const [what, expression] of [
  ['text()', 'await request.text()'],
  ['arrayBuffer()', 'new TextDecoder().decode(await request.arrayBuffer())'],
  ['bytes()', 'new TextDecoder().decode(await request.bytes())'],
  ['blob()', 'await (await request.blob()).text()'],
  ['body', 'await new Response(request.body).text()'],
  ['clone()', 'await request.clone().text() && await request.text()'],
  ['a new Request made of it', 'await new Request(request).text()'],
] as const) {
  test(`the body is read whole by ${what}`, async (t) => {
    const { url } = await serve(t, `async (request) => new Response(${expression})`);
    const body = 'ä'.repeat(100_000);
    assert.equal(await (await fetch(url, { method: 'POST', body })).text(), body);
  });
}

test('a form is read by formData()', async (t) => {
  const { url } = await serve(t, 'async (request) => new Response((await request.formData()).get("file"))');
  const body = new FormData();
  body.set('file', new Blob(['content']), 'a.txt');
  assert.equal(await (await fetch(url, { method: 'POST', body })).text(), 'content');
});

test('a request is passed on by fetch, and what fetch returns is passed back decoded', async (t) => {
  const upstream = createServer((req, res) => {
    res.setHeader('content-encoding', 'identity');
    res.setHeader('x-seen', `${req.method} ${req.url}`);
    req.pipe(res);
  }).listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  t.after(() => { upstream.close(); upstream.closeAllConnections(); });
  const { port } = upstream.address() as AddressInfo;
  const { url } = await serve(t, `async (request) => {
    const onward = new Request("http://127.0.0.1:${port}/up", request);
    return fetch(onward);
  }`);
  const response = await fetch(url, { method: 'POST', body: 'through' });
  assert.equal(response.headers.get('x-seen'), 'POST /up');
  assert.equal(await response.text(), 'through');
});

test('bodies stream both ways', async (t) => {
  const { url } = await serve(t, '(request) => new Response(request.body)');
  const sending = request(url, { method: 'POST' });
  sending.write('first');
  const [response] = await once(sending, 'response');
  assert.equal(String((await once(response, 'data'))[0]), 'first');
  sending.end('last');
  assert.equal(String((await once(response, 'data'))[0]), 'last');
});

test('the head of a stream that has nothing yet is sent at once', async (t) => {
  const { url } = await serve(t, '() => new Response(new ReadableStream({ start(c) { globalThis.controller = c; } }), { headers: { "content-type": "text/event-stream" } })');
  const response = await fetch(url);
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  const { controller } = globalThis as unknown as { controller: ReadableStreamDefaultController<Uint8Array> };
  controller.enqueue(Buffer.from('data: 1\n\n'));
  controller.close();
  assert.equal(await response.text(), 'data: 1\n\n');
});

test('a slow reader slows the handler: little is made that nobody takes', async (t) => {
  const { url } = await serve(t, `() => {
    globalThis.made = 0;
    return new Response(new ReadableStream({ pull(c) { globalThis.made++; c.enqueue(new Uint8Array(65536)); } }));
  }`);
  const sending = request(url).end();
  const [response] = await once(sending, 'response');
  await once(response, 'readable');
  const made = () => (globalThis as unknown as { made: number }).made;
  let before = -1;
  // Until the sockets between are full and it stands still.
  while (made() !== before) {
    before = made();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.ok(made() < 500, `${made()} chunks of 64 KiB were made`);
  response.destroy();
});

test('a caller that leaves aborts the signal and cancels the stream', async (t) => {
  const { url } = await serve(t, `(request) => {
    request.signal.addEventListener('abort', () => globalThis.aborted(request.signal.reason.name));
    return new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array(1)); }, cancel() { globalThis.cancelled(); } }));
  }`);
  const aborted = new Promise((resolve) => Object.assign(globalThis, { aborted: resolve }));
  const cancelled = new Promise((resolve) => Object.assign(globalThis, { cancelled: resolve }));
  const controller = new AbortController();
  await fetch(url, { signal: controller.signal });
  controller.abort();
  assert.equal(await aborted, 'ClientGone');
  await cancelled;
});

test('the deadline aborts the signal and is answered 504', async (t) => {
  const { url, passDeadline } = await serve(t, `(request) => new Promise((_, reject) => {
    request.signal.addEventListener('abort', () => reject(request.signal.reason));
    globalThis.called();
  })`);
  const called = new Promise((resolve) => Object.assign(globalThis, { called: resolve }));
  const answer = fetch(url);
  await called;
  passDeadline();
  assert.equal((await answer).status, 504);
});

test('a stream returned after the deadline is cancelled, not read', async (t) => {
  const { url, passDeadline } = await serve(t, `(request) => new Promise((resolve) => {
    globalThis.late = () => resolve(new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1)); }, cancel() { globalThis.cancelled(); } })));
    globalThis.called();
  })`);
  const cancelled = new Promise((resolve) => Object.assign(globalThis, { cancelled: resolve }));
  const called = new Promise((resolve) => Object.assign(globalThis, { called: resolve }));
  const answer = fetch(url);
  await called;
  passDeadline();
  assert.equal((await answer).status, 504);
  (globalThis as unknown as { late: () => void }).late();
  await cancelled;
});

for (const [what, handler] of [
  ['throws', '() => { throw new Error("no"); }'],
  ['makes a Response of an interim status', '() => new Response(null, { status: 103 })'],
  ['returns Response.error()', '() => Response.error()'],
  ['returns no Response', '() => "text"'],
  ['has a stream that fails before its first bytes', '() => new Response(new ReadableStream({ pull() { throw new Error("no"); } }))'],
  ['sets a header that cannot be sent', '() => new Response("x", { headers: { "a": "b\\nc" } })'],
] as const) {
  test(`a handler that ${what} is answered 500`, async (t) => {
    const { url } = await serve(t, handler);
    const response = await fetch(url);
    assert.equal(response.status, 500);
    assert.deepEqual(await response.json(), { error: { code: 'function_failed', message: 'the function failed; its log says how' } });
  });
}

test('a stream that fails midway has its connection cut', async (t) => {
  const { url } = await serve(t, '() => { let n = 0; return new Response(new ReadableStream({ pull(c) { if (n++ === 0) c.enqueue(new Uint8Array(9)); else throw new Error("no"); } })); }');
  await assert.rejects(async () => (await fetch(url)).text(), TypeError);
});

test('a Host that makes no URL is the caller\'s fault: 400', async (t) => {
  const { url } = await serve(t, '() => new Response("x")');
  const sending = request(url, { headers: { host: 'a b' } }).end();
  const [response] = await once(sending, 'response');
  assert.equal(response.statusCode, 400);
  response.resume();
});

test('the platform\'s classes are back once the runner has stopped', async (t) => {
  const platform = [globalThis.Request, globalThis.Response, globalThis.fetch];
  await t.test('while it runs', async (inner) => {
    await serve(inner, '() => new Response("x")');
    assert.notEqual(globalThis.Response, platform[1]);
  });
  assert.deepEqual([globalThis.Request, globalThis.Response, globalThis.fetch], platform);
});
