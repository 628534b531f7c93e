import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { handlerFolder } from './testing/serve-handler.js';
import { startWatchdog, type Watchdog } from './testing/start-watchdog.js';

const index = fileURLToPath(new URL('../../runtimes/python3-http/index.py', import.meta.url));
const PATH = process.env.PATH ?? '';
const start = (t: TestContext, handler: string): Promise<Watchdog> =>
  startWatchdog(t, { 'handler.py': handler, 'sibling.py': 'word = "sibling"\n' }, { lang: 'python3-http', PATH });

const failed = { error: { code: 'function_failed', message: 'the function failed; its log says how' } };

/** One process serves all the cases: the path says which. */
const returns = `
import json
def handle(event, context):
    return {
        "/dict": {"statusCode": 201, "body": "made", "headers": {"X-A": "b"}},
        "/pairs": {"body": "", "headers": [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]},
        "/json": {"body": {"a": [1]}},
        "/list": {"body": [1, 2]},
        "/own-type": {"body": {"a": 1}, "headers": {"content-type": "application/x"}},
        "/bytes": {"body": bytes([0, 255]), "statusCode": 200},
        "/str": "täxt",
        "/plain-bytes": b"raw",
        "/plain-dict": {"hello": 1},
        "/none": None,
        "/tuple": ("teapot", 418),
        "/triple": ("x", 202, {"X-A": "c"}),
        "/empty": {"statusCode": 204},
        "/bad-status": {"statusCode": 42},
        "/bad-header": {"headers": {"X-A": "b\\r\\nX-B: c"}},
        "/no-json": {"body": {1, 2}},
    }[event.path]
`;
test('python: what handle returns is answered', async (t) => {
  const { url } = await start(t, returns);
  for (const [path, status, type, body] of [
    ['/dict', 201, 'text/plain; charset=utf-8', 'made'],
    ['/json', 200, 'application/json', '{"a": [1]}'],
    ['/list', 200, 'application/json', '[1, 2]'],
    ['/own-type', 200, 'application/x', '{"a": 1}'],
    ['/str', 200, 'text/plain; charset=utf-8', 'täxt'],
    ['/plain-bytes', 200, 'application/octet-stream', 'raw'],
    ['/plain-dict', 200, 'application/json', '{"hello": 1}'],
    ['/none', 200, null, ''],
    ['/tuple', 418, 'text/plain; charset=utf-8', 'teapot'],
    ['/triple', 202, 'text/plain; charset=utf-8', 'x'],
    ['/empty', 204, null, ''],
  ] as const) {
    const response = await fetch(url + path);
    assert.deepEqual([response.status, response.headers.get('content-type'), await response.text()], [status, type, body], path);
  }
  assert.equal((await fetch(`${url}/dict`)).headers.get('x-a'), 'b');
  assert.deepEqual((await fetch(`${url}/pairs`)).headers.getSetCookie(), ['a=1', 'b=2']);
  assert.deepEqual([...new Uint8Array(await (await fetch(`${url}/bytes`)).arrayBuffer())], [0, 255]);
  assert.equal(await (await fetch(`${url}/str`, { method: 'HEAD' })).text(), '');
  for (const path of ['/bad-status', '/bad-header', '/no-json', '/no-such-key']) {
    const response = await fetch(url + path);
    assert.deepEqual([response.status, await response.json()], [500, failed], path);
  }
});

test('python: the event shows the request, its body as bytes', async (t) => {
  const { url } = await start(t, `
from .sibling import word
import sibling
def handle(event, context):
    assert isinstance(event.body, bytes) and context.hostname
    return {"body": {"body": event.body.hex(), "header": event.headers.get("x-one"), "method": event.method,
        "query": event.query, "all": event.query.getlist("y"), "path": event.path, "words": [word, sibling.word]}}
`);
  const asked = `${url}/a%20b?x=1&y=2&y=3`;
  const expected = { header: '1', method: 'PUT', query: { x: '1', y: '2' }, all: ['2', '3'], path: '/a b', words: ['sibling', 'sibling'] };
  const headers = { 'X-One': '1' };
  const whole = await fetch(asked, { method: 'PUT', headers, body: new Uint8Array([0, 255]) });
  assert.deepEqual(await whole.json(), { ...expected, body: '00ff' });
  const chunked = request(asked, { method: 'PUT', headers });
  for (const byte of [0, 255]) chunked.write(new Uint8Array([byte]));
  chunked.end();
  const [response] = await once(chunked, 'response');
  assert.deepEqual(JSON.parse(String(await response.setEncoding('utf8').reduce((all: string, part: string) => all + part, ''))), { ...expected, body: '00ff' });
});

test('python: a body that announces more than the memory is for is answered 413', async (t) => {
  const { url } = await start(t, returns);
  const sending = request(`${url}/none`, { method: 'POST', headers: { 'Content-Length': 300_000_000 } }).on('error', () => undefined);
  sending.write(Buffer.alloc(1 << 20));
  const [response] = await once(sending, 'response') as [IncomingMessage];
  assert.equal(response.statusCode, 413);
  assert.match(await text(response), /the body is larger than 268435456 bytes/);
  sending.destroy();
  assert.equal((await fetch(`${url}/none`)).status, 200);
});

test('python: an exception is a 500 and a traceback that names the call; prints are in the log', async (t) => {
  const watchdog = await start(t, 'def handle(event, context):\n    print("printed")\n    raise ValueError("secret")\n');
  const response = await fetch(watchdog.url, { headers: { 'x-call-id': 'p-1' } });
  assert.deepEqual([response.status, await response.json()], [500, failed]);
  watchdog.process.kill('SIGTERM');
  assert.equal(await watchdog.ended, 0);
  assert.match(watchdog.output.err, /the handler failed \[p-1\]: Traceback/);
  assert.match(watchdog.output.err, /handler\.py", line 3, in handle/);
  assert.match(watchdog.output.err, /ValueError: secret/);
  assert.match(watchdog.output.out + watchdog.output.err, /printed/);
});

test('python: calls run side by side, and SIGTERM lets them finish', async (t) => {
  const watchdog = await start(t, `
import threading
both = threading.Barrier(3)
go = threading.Event()
def handle(event, context):
    if event.path == "/go":
        both.wait()
        threading.Timer(0.3, go.set).start()
        return "gone"
    both.wait()
    go.wait()
    return "finished"
`);
  const calls = [fetch(watchdog.url), fetch(watchdog.url)];
  assert.equal(await (await fetch(`${watchdog.url}/go`)).text(), 'gone');
  watchdog.process.kill('SIGTERM');
  for (const call of calls) assert.equal(await (await call).text(), 'finished');
  assert.equal(await watchdog.ended, 0);
});

for (const [what, handler, line] of [
  ['a missing module', 'import no_such_module\n', /handler\.py: No module named 'no_such_module'; install what the function needs: pip install -r \S+requirements\.txt/],
  ['a syntax error', 'def handle(event, context)\n    pass\n', /handler\.py:1: SyntaxError: expected ':'/],
  ['an error while loading', '\n1 / 0\n', /handler\.py:2: ZeroDivisionError: division by zero/],
  ['no handle', 'x = 1\n', /handler\.py: expected `def handle\(event, context\):`/],
] as const) {
  test(`python: ${what} ends the program with one line`, async (t) => {
    const handlerPath = await handlerFolder(t, { 'handler.py': handler, 'requirements.txt': '' });
    const python = spawn('python3', [index], { env: { PATH, PORT: '0', handler: handlerPath }, stdio: ['ignore', 'ignore', 'pipe'] });
    const told = String(await python.stderr.setEncoding('utf8').reduce((all: string, part: string) => all + part, ''));
    assert.match(told, line);
    assert.match(told, /^[^\n]+\n$/);
  });
}
