import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { serve } from '../testing/serve.js';
import { temporaryFolder } from '../testing/watchdog-process.js';
import { createStaticRunner } from './runner.js';

/** More than the buffers between a file and a client that does not read yet. */
const hugeBytes = 64 << 20;

async function site(t: TestContext): Promise<{ url: string; root: string }> {
  const folder = await temporaryFolder(t);
  const root = join(folder, 'public');
  await mkdir(join(root, 'sub'), { recursive: true });
  await writeFile(join(folder, 'secret.txt'), 'secret');
  await writeFile(join(root, 'index.html'), '<p>home</p>');
  await writeFile(join(root, 'sub', 'index.html'), '<p>sub</p>');
  await writeFile(join(root, 'a file.css'), 'p {}');
  await writeFile(join(root, 'large.bin'), Buffer.alloc(3 << 20, 7));
  await symlink(join(folder, 'secret.txt'), join(root, 'link.txt'));
  await writeFile(join(root, 'empty.txt'), '');
  await writeFile(join(root, 'huge.log'), '');
  await truncate(join(root, 'huge.log'), hugeBytes);
  const { url } = await serve(t, createStaticRunner(root));
  return { url, root };
}

/** fetch would tidy the path up. */
async function status(url: string, path: string): Promise<number | undefined> {
  const request = httpRequest(url, { path }).end();
  const [response] = await once(request, 'response') as [IncomingMessage];
  response.resume();
  return response.statusCode;
}

test('files are served with their type, a folder by its index.html', async (t) => {
  const { url } = await site(t);
  for (const [path, type, body] of [
    ['/', 'text/html; charset=utf-8', '<p>home</p>'], ['/sub/', 'text/html; charset=utf-8', '<p>sub</p>'],
    ['/a%20file.css?v=1', 'text/css; charset=utf-8', 'p {}'],
  ] as const) {
    const response = await fetch(url + path);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), type);
    assert.equal(await response.text(), body);
  }
  assert.equal((await (await fetch(`${url}/large.bin`)).arrayBuffer()).byteLength, 3 << 20);
  const head = await fetch(`${url}/large.bin`, { method: 'HEAD' });
  assert.equal(head.headers.get('content-length'), String(3 << 20));
});

test('nothing outside the folder is served, and what is not there is a 404 with a JSON error', async (t) => {
  const { url } = await site(t);
  for (const path of ['/nothing', '/../secret.txt', '/%2e%2e/secret.txt', '/sub/..%2f..%2fsecret.txt', '/link.txt', '/%00', '/%zz', '/a%20file.css/x']) {
    assert.equal(await status(url, path), 404, path);
  }
  assert.match(await (await fetch(`${url}/nothing`)).text(), /"not_found"/);
});

for (const [what, change, whole] of [
  ['grows', (path: string) => appendFile(path, 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nEVIL!'), true],
  ['shrinks', (path: string) => truncate(path, 1_000), false],
] as const) {
  test(`a file that ${what} while it is sent is ${whole ? 'sent as long as was said, and the connection goes on' : 'an answer broken off'}`, async (t) => {
    const { url, root } = await site(t);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const get = async (path: string): Promise<IncomingMessage> => {
      const [response] = await once(httpRequest(url, { path, agent }).end(), 'response') as [IncomingMessage];
      return response;
    };
    const response = await get('/huge.log');
    await change(join(root, 'huge.log'));
    let bytes = 0;
    const read = (async () => { for await (const chunk of response as AsyncIterable<Buffer>) bytes += chunk.length; })();
    if (!whole) return assert.rejects(read, /aborted/);
    await read;
    assert.equal(bytes, hugeBytes);
    assert.equal(await text(await get('/')), '<p>home</p>');
  });
}

test('an empty file is an empty answer', async (t) => {
  const { url } = await site(t);
  const response = await fetch(`${url}/empty.txt`);
  assert.equal(response.headers.get('content-length'), '0');
  assert.equal(await response.text(), '');
});

test('a named pipe is no file, and nobody waits for its writer', async (t) => {
  const { url, root } = await site(t);
  execFileSync('mkfifo', [join(root, 'pipe')]);
  assert.equal(await status(url, '/pipe'), 404);
});

test('files are GET only, and 304 to who has them', async (t) => {
  const { url } = await site(t);
  assert.equal((await fetch(url, { method: 'POST', body: 'x' })).status, 405);
  const modified = (await fetch(url)).headers.get('last-modified') ?? '';
  assert.equal((await fetch(url, { headers: { 'If-Modified-Since': modified } })).status, 304);
});

test('a static_path that is nowhere is a reason not to start', async () => {
  await assert.rejects(createStaticRunner('/no/such/folder').start(), /^Error: static_path=\/no\/such\/folder: no such folder$/);
});
