import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sendRaw, startFixture } from './testing/fixture.js';

for (const [what, bytes, status] of [
  ['headers over 40 KiB', `GET /function/x HTTP/1.1\r\nHost: x\r\nX-Bomb: ${'x'.repeat(50_000)}\r\n\r\n`, 431],
  ['bytes that are no HTTP', 'hello there\r\n\r\n', 400],
  ['a chunk that is none', 'POST /function/waits HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 400],
  ['two lengths', 'POST /function/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx', 400],
  ['a length beside chunks', 'POST /function/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
] as const) {
  test(`${what} get ${status} with a JSON body`, async (t) => {
    const { url, deploy } = await startFixture(t);
    await deploy('waits');
    const text = await sendRaw(url, bytes);
    assert.ok(text.startsWith(`HTTP/1.1 ${status} `), text.slice(0, 200));
    const { error } = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as { error: { code: string } };
    assert.ok(error.code.length > 0);
  });
}
