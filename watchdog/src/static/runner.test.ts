import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { serve } from '../testing/serve.js';
import { temporaryFolder } from '../testing/watchdog-process.js';
import { createStaticRunner } from './runner.js';

async function site(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  const root = join(folder, 'public');
  await mkdir(join(root, 'sub'), { recursive: true });
  await writeFile(join(folder, 'secret.txt'), 'secret');
  await writeFile(join(root, 'index.html'), '<p>home</p>');
  await writeFile(join(root, 'sub', 'index.html'), '<p>sub</p>');
  await writeFile(join(root, 'a file.css'), 'p {}');
  await writeFile(join(root, 'large.bin'), Buffer.alloc(3 << 20, 7));
  await symlink(join(folder, 'secret.txt'), join(root, 'link.txt'));
  const { url } = await serve(t, createStaticRunner(root));
  return url;
}

/** fetch would tidy the path up. */
async function status(url: string, path: string): Promise<number | undefined> {
  const request = httpRequest(url, { path }).end();
  const [response] = await once(request, 'response') as [IncomingMessage];
  response.resume();
  return response.statusCode;
}

test('files are served with their type, a folder by its index.html', async (t) => {
  const url = await site(t);
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
  const url = await site(t);
  for (const path of ['/nothing', '/../secret.txt', '/%2e%2e/secret.txt', '/sub/..%2f..%2fsecret.txt', '/link.txt', '/%00', '/%zz', '/a%20file.css/x']) {
    assert.equal(await status(url, path), 404, path);
  }
  assert.match(await (await fetch(`${url}/nothing`)).text(), /"not_found"/);
});

test('files are GET only, and 304 to who has them', async (t) => {
  const url = await site(t);
  assert.equal((await fetch(url, { method: 'POST', body: 'x' })).status, 405);
  const modified = (await fetch(url)).headers.get('last-modified') ?? '';
  assert.equal((await fetch(url, { headers: { 'If-Modified-Since': modified } })).status, 304);
});

test('a static_path that is nowhere is a reason not to start', async () => {
  await assert.rejects(createStaticRunner('/no/such/folder').start(), /^Error: static_path=\/no\/such\/folder: no such folder$/);
});
