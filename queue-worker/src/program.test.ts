import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SettingsError, readSettings } from '@postern/settings';
import { request } from 'undici';
import { startQueueWorkerProgram } from './program.js';
import { queueWorkerProgramSettings } from './settings.js';
import { makeCall, silent, startServer, until } from './testing/fixtures.js';
import { openQueue } from './testing/open-queue.js';

test('the program runs calls through a gateway elsewhere, and answers /healthz and /metrics', async () => {
  const gateway = await startServer((res, { url }) => {
    if (url === '/system/namespaces') res.end('["openfaas-fn"]');
    else if (url?.startsWith('/system/functions')) res.end(JSON.stringify([{ name: 'wordcount', namespace: 'openfaas-fn' }]));
    else res.end('3');
  });
  const receiver = await startServer((res) => { res.end(); });
  const { queue, close } = await openQueue();
  const settings = readSettings(queueWorkerProgramSettings, { metrics_port: '0', gateway_url: gateway.url, callback_allow: '127.0.0.1' });
  const program = await startQueueWorkerProgram({ queue, settings, log: silent });
  try {
    await queue.publish(makeCall({ callbackUrl: receiver.url }));
    await until(() => receiver.seen.length === 1, 'the callback arrives');
    assert.equal(receiver.seen[0]?.body.toString(), '3');
    const health = await request(`${program.url}/healthz`);
    assert.equal(health.statusCode, 200);
    await health.body.dump();
    const metrics = await request(`${program.url}/metrics`);
    assert.match(await metrics.body.text(), /postern_worker_callbacks_total\{outcome="done"\} 1/);
    const other = await request(`${program.url}/other`);
    assert.equal(other.statusCode, 404);
    await other.body.dump();
  } finally {
    await program.close();
    await program.close();
    await close();
    await gateway.close();
    await receiver.close();
  }
});

test('credentials that cannot be read and a port that is taken stop it with one line', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postern-secrets-'));
  const taken = await startServer((res) => { res.end(); });
  const { queue, close } = await openQueue();
  const startWith = (env: Record<string, string>) => startQueueWorkerProgram({ queue, settings: readSettings(queueWorkerProgramSettings, env), log: silent });
  try {
    await writeFile(join(folder, 'basic-auth-user'), 'admin\n');
    await assert.rejects(startWith({ basic_auth: 'true', secret_mount_path: folder, metrics_port: '0' }),
      (error) => error instanceof SettingsError && error.message.includes('basic-auth-password'));
    await assert.rejects(startWith({ metrics_port: String(taken.port) }), (error) => error instanceof SettingsError && error.message.startsWith(`port ${taken.port} on 127.0.0.1 is in use`));
  } finally {
    await close();
    await taken.close();
    await rm(folder, { recursive: true });
  }
});
