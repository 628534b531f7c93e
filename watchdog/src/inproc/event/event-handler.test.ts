import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { serveHandler, type Served } from '../testing/serve-handler.js';
import { readBodySettings } from './event-settings.js';

const serve = (t: TestContext, handler: string, environment: NodeJS.ProcessEnv = {}): Promise<Served> =>
  serveHandler(t, 'node22', { 'handler.js': `module.exports = ${handler}` }, environment);

const text = 'text/plain; charset=utf-8';
const json = 'application/json; charset=utf-8';
const answers: readonly (readonly [what: string, handler: string, status: number, type: string | null, body: string])[] = [
  ['a returned string', 'async () => "hello"', 200, text, 'hello'],
  ['a returned object', 'async () => ({ a: 1 })', 200, json, '{"a":1}'],
  ['a returned array', 'async () => [1, 2]', 200, json, '[1,2]'],
  ['a returned number, which is no status,', 'async () => 201', 200, json, '201'],
  ['a returned boolean', 'async () => false', 200, json, 'false'],
  ['a returned Buffer', 'async () => Buffer.from("raw")', 200, 'application/octet-stream', 'raw'],
  ['nothing', 'async () => {}', 200, null, ''],
  ['null', 'async () => null', 200, null, ''],
  ['a plain return', '() => "sync"', 200, text, 'sync'],
  ['succeed', 'async (event, context) => context.status(202).headers({ "x-a": "b" }).succeed("yes")', 202, text, 'yes'],
  ['succeed, and not the return after it', 'async (event, context) => { context.succeed("first"); return "second"; }', 200, text, 'first'],
  ['the first of two succeeds', 'async (event, context) => { context.succeed("first"); context.succeed("second"); }', 200, text, 'first'],
  ['succeed within a promise', '(event, context) => new Promise((resolve) => setImmediate(() => resolve(context.succeed("later"))))', 200, text, 'later'],
  ['the status asked for', 'async (event, context) => context.status() + context.status(201).status()', 201, json, '401'],
  ['a status of 0, which asks', 'async (event, context) => String(context.status(0))', 200, text, '200'],
  ['a content type of the handler\'s own', 'async (event, context) => context.headers({ "Content-Type": "text/html" }).succeed("<p>")', 200, 'text/html', '<p>'],
  ['fail', 'async (event, context) => context.fail("no")', 500, text, 'no'],
  ['fail with an object', 'async (event, context) => context.fail({ why: "no" })', 500, json, '{"why":"no"}'],
  ['fail with an error', 'async (event, context) => context.fail(new Error("no"))', 500, text, 'Error: no'],
  ['fail with a status set', 'async (event, context) => context.status(422).fail("no")', 422, text, 'no'],
  ['a callback', '(event, context, callback) => { setImmediate(() => callback(null, "called")); }', 200, text, 'called'],
  ['a callback with an error', '(event, context, callback) => { setImmediate(() => callback(new Error("no"))); }', 500, text, 'Error: no'],
  ['succeed in a handler that declares the callback', '(event, context, callback) => { setImmediate(() => context.succeed("ok")); }', 200, text, 'ok'],
];
for (const [what, handler, status, type, body] of answers) {
  test(`${what} is the answer`, async (t) => {
    const { url } = await serve(t, handler);
    const response = await fetch(url);
    assert.deepEqual([response.status, response.headers.get('content-type'), await response.text()], [status, type, body]);
  });
}

test('fail keeps the headers that were set', async (t) => {
  const { url } = await serve(t, 'async (event, context) => context.headers({ "retry-after": "7" }).fail("no")');
  const response = await fetch(url);
  assert.equal(response.status, 500);
  assert.equal(response.headers.get('retry-after'), '7');
});

test('a later call of headers replaces the earlier one\'s', async (t) => {
  const { url } = await serve(t, 'async (event, context) => context.headers({ "x-a": "1" }).headers({ "x-b": ["2", "3"] }).headers()');
  const response = await fetch(url);
  assert.equal(response.headers.get('x-a'), null);
  assert.equal(response.headers.get('x-b'), '2, 3');
  assert.deepEqual(await response.json(), { 'x-b': ['2', '3'] });
});

for (const [what, handler] of [
  ['rejects', 'async (event, context) => { context.status(201); throw new Error("secret"); }'],
  ['throws before its first await', '() => { throw new Error("secret"); }'],
  ['rejects with nothing', '() => Promise.reject()'],
  ['returns what has no JSON', 'async () => { const a = {}; a.a = a; return a; }'],
  ['returns a function', 'async () => () => {}'],
  ['sets a status that is none', 'async (event, context) => context.status(99999).succeed("x")'],
  ['sets an interim status', 'async (event, context) => context.status(103).succeed("x")'],
  ['sets a status of no class', 'async (event, context) => context.status(600).succeed("x")'],
  ['sets a header that cannot be sent', 'async (event, context) => context.headers({ "a b": "c" }).succeed("x")'],
] as const) {
  test(`a handler that ${what} is answered 500 in JSON, without the error's text`, async (t) => {
    const { url } = await serve(t, handler);
    const response = await fetch(url);
    assert.equal(response.status, 500);
    assert.deepEqual(await response.json(), { error: { code: 'function_failed', message: 'the function failed; its log says how' } });
  });
}

test('the event shows method, path, query and headers', async (t) => {
  const { url } = await serve(t, 'async ({ method, path, query, headers }) => ({ method, path, query, one: headers["x-one"] })');
  const response = await fetch(`${url}/a/b?x=1&y=2&y=3`, { method: 'PATCH', headers: { 'X-One': '1' } });
  assert.deepEqual(await response.json(), { method: 'PATCH', path: '/a/b', query: { x: '1', y: ['2', '3'] }, one: '1' });
});

const shown = `async ({ body, rawBody, headers }) => ({
  kind: Buffer.isBuffer(body) ? 'Buffer' : typeof body, body: Buffer.isBuffer(body) ? body.toString() : body,
  raw: rawBody.toString('latin1'), type: headers['content-type'],
})`;
for (const [what, headers, sent, kind, body] of [
  ['text/plain', { 'content-type': 'text/plain' }, 'täxt', 'string', 'täxt'],
  ['text/html in latin1', { 'content-type': 'text/html; charset=iso-8859-1' }, Buffer.from('täxt', 'latin1'), 'string', 'täxt'],
  ['JSON', { 'content-type': 'application/json; charset=utf-8' }, '{"a":[1]}', 'object', { a: [1] }],
  ['empty JSON', { 'content-type': 'application/json' }, '', 'object', {}],
  ['a JSON dialect', { 'content-type': 'application/cloudevents+json' }, '{"a":1}', 'object', { a: 1 }],
  ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 'a=1&b=2&b=3+4', 'object', { a: '1', b: ['2', '3 4'] }],
  ['anything else', { 'content-type': 'image/png' }, 'bytes', 'Buffer', 'bytes'],
  ['compressed JSON', { 'content-type': 'application/json', 'content-encoding': 'gzip' }, gzipSync('{"a":1}'), 'object', { a: 1 }],
] as const) {
  test(`a body of ${what} is a ${kind}, and its exact bytes are there`, async (t) => {
    const { url } = await serve(t, shown);
    const response = await fetch(url, { method: 'POST', headers, body: sent });
    assert.deepEqual(await response.json(), { kind, body, raw: Buffer.from(sent).toString('latin1'), type: headers['content-type'] });
  });
}

test('a body without a content type is text', async (t) => {
  const { url } = await serve(t, shown);
  const response = await fetch(url, { method: 'POST', body: Buffer.from('plain') });
  assert.deepEqual(await response.json(), { kind: 'string', body: 'plain', raw: 'plain', type: 'text/plain' });
});

test('RAW_BODY makes every body a Buffer', async (t) => {
  const { url } = await serve(t, 'async ({ body }) => Buffer.isBuffer(body)', { RAW_BODY: 'true' });
  const response = await fetch(url, { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } });
  assert.equal(await response.text(), 'true');
});

for (const [what, environment, headers, body, status] of [
  ['JSON that is none', {}, { 'content-type': 'application/json' }, '{"a"', 400],
  ['gzip that is none', {}, { 'content-encoding': 'gzip' }, 'plain', 400],
  ['an unknown encoding', {}, { 'content-encoding': 'zip' }, 'plain', 415],
  ['an unknown charset', {}, { 'content-type': 'text/plain; charset=klingon' }, 'plain', 415],
  ['JSON above MAX_JSON_SIZE', { MAX_JSON_SIZE: '1kb' }, { 'content-type': 'application/json' }, JSON.stringify('x'.repeat(1_023)), 413],
  ['JSON at MAX_JSON_SIZE', { MAX_JSON_SIZE: '1kb' }, { 'content-type': 'application/json' }, JSON.stringify('x'.repeat(1_022)), 200],
  ['a large text without a limit', {}, { 'content-type': 'text/plain' }, 'x'.repeat(3_000_000), 200],
  ['bytes above MAX_RAW_SIZE', { MAX_RAW_SIZE: '10', MAX_JSON_SIZE: '1mb' }, { 'content-type': 'image/png' }, 'x'.repeat(11), 413],
  ['a small body that unpacks above MAX_RAW_SIZE', { MAX_RAW_SIZE: '1kb' }, { 'content-encoding': 'gzip' }, gzipSync('x'.repeat(9_999)), 413],
] as const) {
  test(`${what} is answered ${status}`, async (t) => {
    const { url } = await serve(t, 'async () => "ok"', environment);
    const response = await fetch(url, { method: 'POST', headers, body });
    assert.equal(response.status, status);
    if (status === 200) assert.equal(await response.text(), 'ok');
    else assert.match(await response.text(), /^\{"error":\{"code":"bad_request","message":"/);
  });
}

test('without a limit of its own a function takes what the memory is for, and no more', async (t) => {
  const { url } = await serve(t, 'async () => "ok"');
  const sending = request(url, { method: 'POST', headers: { 'Content-Length': 300_000_000 } }).on('error', () => undefined);
  sending.write('begun');
  const [response] = await once(sending, 'response') as [IncomingMessage];
  assert.equal(response.statusCode, 413);
  sending.destroy();
});

test('a body that grows above the limit as it comes is answered 413', async (t) => {
  const { url } = await serve(t, 'async () => "ok"', { MAX_RAW_SIZE: '100kb' });
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let n = 0; n < 20; n++) controller.enqueue(new Uint8Array(10_000));
      controller.close();
    },
  });
  const response = await fetch(url, { method: 'POST', body, duplex: 'half' });
  assert.equal(response.status, 413);
});

for (const [name, value, expected] of [
  ['RAW_BODY', 'yes', 'true or false'],
  ['MAX_JSON_SIZE', 'big', 'a size such as 100kb, 5mb or plain bytes'],
  ['MAX_RAW_SIZE', '-1', 'a size such as 100kb, 5mb or plain bytes'],
] as const) {
  test(`${name}=${value} stops the start with one line`, async (t) => {
    await assert.rejects(serve(t, 'async () => 1', { [name]: value }), { message: `${name}=${value}: expected ${expected}` });
  });
}

test('a size in kilobytes is a thousand and twenty-four times its number in bytes', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 1e6 }), (n) => {
    assert.equal(readBodySettings({ MAX_RAW_SIZE: `${n}kb` }).maxRawBytes, readBodySettings({ MAX_RAW_SIZE: `${n * 1_024}` }).maxRawBytes);
  }));
});
