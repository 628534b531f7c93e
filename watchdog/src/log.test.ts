import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { humanSize, Log } from './log.js';

const answer = { method: 'POST', uri: '/a?b', status: 200, contentLength: 5, seconds: 0.00123, callId: '' };

test('an answer\'s line is of-watchdog\'s', async () => {
  const out = new PassThrough();
  const log = new Log(out, out, false);
  log.answer(answer);
  await log.flushed();
  assert.equal(String(out.read()), 'POST /a?b - 200 OK - ContentLength: 5B (0.0012s)\n');
});

test('log_callid adds the call id, or none', async () => {
  const out = new PassThrough();
  const log = new Log(out, out, true);
  log.answer({ ...answer, callId: 'c-1' });
  log.answer(answer);
  await log.flushed();
  assert.match(String(out.read()), /\(0\.0012s\) \[c-1\]\n.*\(0\.0012s\) \[none\]\n/);
});

test('a log that nobody reads costs answers\' lines and not the process\'s memory, and says so', async () => {
  const out = new PassThrough();
  const log = new Log(out, out, false);
  out.write(Buffer.alloc(2_000_000));
  for (let i = 0; i < 100; i++) log.answer(answer);
  out.read();
  log.answer(answer);
  await log.flushed();
  assert.match(String(out.read()), /200 OK.*\n100 answers were not logged/);
});

for (const [bytes, text] of [[0, '0B'], [-1, '-1B'], [999, '999B'], [1_000, '1kB'], [1_234, '1.234kB'], [12_345_678, '12.35MB']] as const) {
  test(`${bytes} bytes are written ${text}`, () => {
    assert.equal(humanSize(bytes), text);
  });
}
