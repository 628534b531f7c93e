/** The model case, whole: an asynchronous call, PostgreSQL, a PDF, S3, the callback; and the PDF's text read back. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { getDocument } from 'pdfjs-dist/legacy/build/pdf.mjs';
import { request } from 'undici';
import { startCallbackReceiver } from '../callback-receiver.js';
import { localS3Keys, startLocalS3 } from '../local-s3.js';
import { repositoryRoot, startUp } from '../postern.js';

test('a statement asked for asynchronously is in S3 when its callback arrives', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'postern-statement-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const s3 = await startLocalS3({ dir: join(dir, 's3'), bucket: 'statements' });
  t.after(() => s3.close());
  const receiver = await startCallbackReceiver();
  t.after(() => receiver.close());
  const { postern, url } = await startUp({
    cwd: repositoryRoot,
    env: {
      DATA_DIR: join(dir, 'data'), S3_ENDPOINT: s3.endpoint, DATABASE_URL: '',
      AWS_ACCESS_KEY_ID: localS3Keys.accessKeyId, AWS_SECRET_ACCESS_KEY: localS3Keys.secretAccessKey,
    },
  }, 'statement');
  t.after(() => postern.kill9());

  const accepted = await request(`${url}/async-function/statement`, {
    method: 'POST', body: JSON.stringify({ customer: 7 }), headers: { 'content-type': 'application/json', 'x-callback-url': receiver.url },
  });
  assert.equal(accepted.statusCode, 202);
  const refused = await request(`${url}/async-function/statement`, { method: 'POST', body: '{"customer": 99}', headers: { 'x-callback-url': receiver.url } });
  assert.equal(refused.statusCode, 202);

  const answers = new Map<string, { status: number; body: string }>();
  for await (const { callId, functionStatus, body } of receiver.callbacks(AbortSignal.timeout(120_000))) {
    answers.set(callId, { status: functionStatus, body: body.toString() });
    if (answers.size === 2) break;
  }
  assert.equal(answers.get(String(refused.headers['x-call-id']))?.status, 404);
  const answer = answers.get(String(accepted.headers['x-call-id']));
  assert.equal(answer?.status, 200, answer?.body);
  // The function is ours: its answer is what its own tests say.
  const { url: object, pages, transactions } = JSON.parse(answer.body) as { url: string; pages: number; transactions: number };
  const { count, text } = await readPdf(object);
  assert.equal(count, pages);
  assert.ok(transactions > 0);
  assert.match(text, new RegExp(`Page 1 of ${pages}`, 'i'));
});

async function readPdf(url: string): Promise<{ count: number; text: string }> {
  const response = await request(url);
  assert.equal(response.statusCode, 200);
  const document = await getDocument({ data: new Uint8Array(await response.body.arrayBuffer()), verbosity: 0, useSystemFonts: true }).promise;
  const first = await (await document.getPage(1)).getTextContent();
  return { count: document.numPages, text: first.items.map((item) => 'str' in item ? item.str : '').join(' ') };
}
