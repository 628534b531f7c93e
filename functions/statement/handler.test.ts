import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import S3rver from 's3rver';
import { type Database, openEmbedded } from './database.ts';
import { partsFrom, statementFunction } from './handler.ts';
import type { StatementFunction } from './handler.ts';

let dir: string;
let s3: S3rver;
let endpoint: string;
/** One for all the functions here: starting PostgreSQL is the slow part. */
let database: Database;
/** With an S3 that is there. */
let statement: StatementFunction;

before(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'statement-'));
  s3 = new S3rver({ address: '127.0.0.1', port: 0, silent: true, directory: path.join(dir, 's3'), configureBuckets: [{ name: 'statements', configs: [] }] });
  const { port } = await s3.run();
  endpoint = `http://127.0.0.1:${port}`;
  database = await openEmbedded();
  statement = withStore({});
});
after(async () => {
  await statement.close();
  await database.close();
  await s3.close();
  await rm(dir, { recursive: true });
});

/** s3rver knows one pair of keys, and refuses any other. */
function environment(changes: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return { S3_ENDPOINT: endpoint, secret_mount_path: path.join(dir, 'no-secrets'), AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER', ...changes };
}

function withStore(changes: Readonly<Record<string, string>>): StatementFunction {
  return statementFunction({ ...partsFrom(environment(changes)), database: async () => ({ ...database, close: async () => undefined }) });
}

async function post(to: StatementFunction, body: unknown): Promise<{ status: number; json: Record<string, unknown> }> {
  const response = await to.fetch(new Request('http://function/', { method: 'POST', body: JSON.stringify(body) }));
  return { status: response.status, json: Object(await response.json()) };
}

test('a statement is stored where the answer says', async () => {
  const { status, json } = await post(statement, { customer: 5, month: '2026-10' });
  assert.equal(status, 200);
  const url = `${endpoint}/statements/customer-000005/2026-10.pdf`;
  assert.deepEqual(json, { customer: 5, month: '2026-10', url, pages: 4, transactions: 100 });
  const stored = await fetch(url);
  assert.equal(stored.headers.get('content-type'), 'application/pdf');
  assert.match(await stored.text(), /^%PDF-1\.\d[\s\S]*%%EOF\n$/);
});

test('a call delivered twice, even at the same time, leaves one object, the same as before', async () => {
  const read = async (): Promise<string> => (await fetch(`${endpoint}/statements/customer-000007/2026-09.pdf`)).text();
  const once = await post(statement, { customer: 7, month: '2026-09' });
  const before = await read();
  const again = await Promise.all([post(statement, { customer: 7, month: '2026-09' }), post(statement, { customer: 7, month: '2026-09' })]);
  assert.deepEqual(again, [once, once]);
  assert.equal(await read(), before);
  const list = await (await fetch(`${endpoint}/statements?prefix=customer-000007/`)).text();
  assert.equal(list.match(/<Key>/g)?.length, 1);
});

test('bad input and unknown customers are final: 400, 404, 405', async () => {
  const bad = await post(statement, { customer: 'seven' });
  assert.equal(bad.status, 400);
  assert.match(JSON.stringify(bad.json), /"code":"bad_request","message":"customer: expected a whole number/);
  assert.equal((await post(statement, { customer: 21 })).status, 404);
  const got = await statement.fetch(new Request('http://function/'));
  assert.equal(got.status, 405);
  assert.equal(got.headers.get('allow'), 'POST');
});

test('an S3 that is away or refuses the keys is a 503, so that the queue tries again', async (t) => {
  const logged = t.mock.method(console, 'error', () => undefined);
  const faults: Record<string, string>[] = [
    { S3_ENDPOINT: 'http://127.0.0.1:1' }, { S3_BUCKET: 'no-such-bucket' }, { AWS_ACCESS_KEY_ID: 'WRONG' }, { AWS_ACCESS_KEY_ID: '' },
  ];
  for (const changes of faults) {
    const unable = withStore(changes);
    const { status, json } = await post(unable, { customer: 1 });
    assert.equal(status, 503, JSON.stringify(changes));
    assert.match(JSON.stringify(json), /"code":"storage_unavailable"/);
    await unable.close();
  }
  assert.equal(logged.mock.callCount(), 4, 'each is in the log with its cause');
});

test('a database that is away is a 503', async (t) => {
  t.mock.method(console, 'error', () => undefined);
  const unable = statementFunction(partsFrom(environment({ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/bank' })));
  const { status, json } = await post(unable, { customer: 1 });
  assert.equal(status, 503);
  assert.match(JSON.stringify(json), /"code":"database_unavailable"/);
  await unable.close();
});

test('keys in secrets come before the environment, and a changed secret counts from the next call on', async (t) => {
  t.mock.method(console, 'error', () => undefined);
  const secrets = await mkdtemp(path.join(dir, 'secrets-'));
  await writeFile(path.join(secrets, 's3-access-key'), 'OUTDATED\n');
  await writeFile(path.join(secrets, 's3-secret-key'), 'S3RVER\n');
  const withSecrets = withStore({ secret_mount_path: secrets });
  assert.equal((await post(withSecrets, { customer: 2 })).status, 503);
  await writeFile(path.join(secrets, 's3-access-key'), 'S3RVER\n');
  assert.equal((await post(withSecrets, { customer: 2 })).status, 200);
  await withSecrets.close();
});
