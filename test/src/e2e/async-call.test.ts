/** The main job, as a user does it: a POST, a 202, the function, the callback; on both queues. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { request } from 'undici';
import { startCallbackReceiver } from '../callback-receiver.js';
import { eventually, makeFolder, queueKinds, up } from './fixture.js';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

for (const kind of queueKinds) {
  test(`${kind}: a call is answered 202 at once, and its result arrives at the callback URL`, async (t) => {
    const folder = await makeFolder(t, kind);
    const { postern, url } = await up(folder);
    const receiver = await startCallbackReceiver();
    t.after(() => receiver.close());
    for (const [name, body, expected] of [['echo', 'one two three', 'one two three'], ['upper', 'one two', 'ONE TWO']] as const) {
      const accepted = await request(`${url}/async-function/${name}`, { method: 'POST', body, headers: { 'x-callback-url': receiver.url } });
      assert.equal(accepted.statusCode, 202);
      assert.equal(await accepted.body.text(), '');
      assert.match(String(accepted.headers['x-call-id']), uuid);
      for await (const callback of receiver.callbacks(AbortSignal.timeout(20_000))) {
        if (callback.callId !== accepted.headers['x-call-id']) continue;
        assert.equal(callback.body.toString(), expected);
        assert.equal(callback.headers['x-function-status'], '200');
        assert.equal(callback.headers['x-function-name'], name);
        assert.match(String(callback.headers['x-duration-seconds']), /^\d+\.\d{6}$/);
        break;
      }
    }
    assert.equal(await postern.stop(), 0);
  });

  test(`${kind}: a sync call works while calls are queued, and /system tells what is deployed`, async (t) => {
    const folder = await makeFolder(t, kind);
    const { url } = await up(folder);
    await request(`${url}/async-function/recorder`, { method: 'POST', body: '2000' });
    const sync = await request(`${url}/function/upper`, { method: 'POST', body: 'abc' });
    assert.equal(await sync.body.text(), 'ABC');
    const list = await (await request(`${url}/system/functions`)).body.json() as { name: string; availableReplicas: number }[];
    assert.deepEqual(list.map(({ name, availableReplicas }) => `${name} ${availableReplicas}`).sort(), ['crash 1', 'echo 1', 'recorder 1', 'upper 1']);
  });

  test(`${kind}: kill -9 of everything loses no accepted call; what ran is run again with a higher attempt`, async (t) => {
    const folder = await makeFolder(t, kind);
    const env = { ack_wait: '5s' };
    const first = await up(folder, env);
    const ids = new Set<string>();
    for (let i = 0; i < 40; i++) {
      const { statusCode, headers } = await request(`${first.url}/async-function/recorder`, { method: 'POST', body: i < 5 ? '60000' : '5' });
      assert.equal(statusCode, 202);
      ids.add(String(headers['x-call-id']));
    }
    const running = await eventually(async () => {
      const lines = (await readFile(folder.record, 'utf8')).trim().split('\n');
      const open = lines.filter((line) => line.endsWith('start')).length - lines.filter((line) => line.endsWith('end')).length;
      return open === 5 && lines.length === 75 ? lines.filter((line) => line.endsWith(' start')) : undefined;
    }, 'the short calls to end and five long ones to run');
    assert.equal(running.length, 40);
    await first.postern.kill9();
    await up(folder, env);
    const again = await eventually(async () => {
      const lines = (await readFile(folder.record, 'utf8')).trim().split('\n').filter((line) => line.endsWith(' 2 start'));
      return lines.length === 5 ? lines : undefined;
    }, 'the five interrupted calls to start again');
    assert.ok(again.every((line) => ids.has(line.split(' ')[0] ?? '')));
  });
}
