/** The same parts as processes of their own: provider, gateway and two queue-workers over one broker. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { request } from 'undici';
import { startCallbackReceiver } from '../callback-receiver.js';
import { type PosternProcess } from '../postern.js';
import { eventually, makeFolder, program } from './fixture.js';

/** The URL in the log line with this message. */
async function loggedUrl(process: PosternProcess, message: string): Promise<string> {
  return (await process.printed(new RegExp(`"url":"(http:[^"]+)".*"msg":"${message}"`)))[1] ?? '';
}

test('a call goes gateway, broker, worker, gateway, provider\'s replica; a worker killed in mid-call leaves it to the other', async (t) => {
  const folder = await makeFolder(t, 'jetstream');
  const provider = program(folder, { program: 'provider', env: { PORT: '0' } });
  const gateway = program(folder, { program: 'gateway', env: { PORT: '0', functions_provider_url: await loggedUrl(provider, 'the provider listens') } });
  const url = await loggedUrl(gateway, 'gateway listens');
  const workerEnv = { gateway_url: url, metrics_port: '0', ack_wait: '5s', callback_allow: '127.0.0.1' };
  const workers = [program(folder, { program: 'queue-worker', env: workerEnv }), program(folder, { program: 'queue-worker', env: workerEnv })];
  for (const worker of workers) await loggedUrl(worker, 'queue-worker started');
  await eventually(async () => {
    const list = await (await request(`${url}/system/functions`)).body.json() as { availableReplicas?: number }[];
    return list.length === 4 && list.every(({ availableReplicas }) => availableReplicas === 1) || undefined;
  }, 'four ready functions');

  const receiver = await startCallbackReceiver();
  t.after(() => receiver.close());
  const ids = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const answer = await request(`${url}/async-function/echo`, { method: 'POST', body: `call ${i}`, headers: { 'x-callback-url': receiver.url } });
    assert.equal(answer.statusCode, 202);
    ids.add(String(answer.headers['x-call-id']));
  }
  for await (const callback of receiver.callbacks(AbortSignal.timeout(30_000))) {
    assert.equal(callback.functionStatus, 200);
    ids.delete(callback.callId);
    if (ids.size === 0) break;
  }

  const lines = async () => (await readFile(folder.record, 'utf8')).trim().split('\n');
  const slow = await request(`${url}/async-function/recorder`, { method: 'POST', body: '4000' });
  const id = String(slow.headers['x-call-id']);
  await eventually(async () => (await lines()).includes(`${id} 1 start`) || undefined, 'the first attempt');
  // One of the two holds the call: with both gone and one back, it must have moved.
  await Promise.all(workers.map((worker) => worker.kill9()));
  program(folder, { program: 'queue-worker', env: workerEnv });
  await eventually(async () => (await lines()).includes(`${id} 2 end`) || undefined, 'the second attempt to end');
  assert.equal((await lines()).filter((line) => line.startsWith(id) && line.endsWith('start')).length, 2);
});
