/** What a handler starts ends with its replica, however that ends. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { request } from 'undici';
import { alive, eventually, makeFolder, up } from './fixture.js';

const files = {
  'stack.yml': 'version: "1.0"\nprovider: {name: openfaas}\nfunctions:\n  spawner: {lang: node, handler: ./spawner}\n',
  // Its process shares the watchdog's group, and no guard was told of it.
  'spawner/handler.mjs': `
import { spawn } from 'node:child_process';
export default (req, res) => {
  const child = spawn('sleep', ['600'], { stdio: 'inherit' });
  res.end(JSON.stringify({ watchdog: process.pid, child: child.pid }));
};
`,
};

async function started(t: TestContext) {
  const { postern, url } = await up(await makeFolder(t, 'embedded', files), {}, ['spawner']);
  // The handler above answers so.
  const { watchdog, child } = await (await request(`${url}/function/spawner`)).body.json() as { watchdog: number; child: number };
  t.after(() => { if (alive(child)) process.kill(child, 'SIGKILL'); });
  assert.deepEqual([alive(watchdog), alive(child)], [true, true]);
  return { postern, url, watchdog, child };
}

for (const [how, end] of [
  ['a kill -9 of the watchdog', ({ watchdog }) => { process.kill(watchdog, 'SIGKILL'); }],
  ['a SIGTERM of the watchdog', ({ watchdog }) => { process.kill(watchdog, 'SIGTERM'); }],
  ['the function\'s removal', ({ url }) => request(`${url}/system/functions`, { method: 'DELETE', body: '{"functionName":"spawner"}' }).then(({ body }) => body.dump())],
  ['the end of postern up', ({ postern }) => postern.stop()],
] as const satisfies readonly (readonly [string, (replica: Awaited<ReturnType<typeof started>>) => unknown])[]) {
  test(`what a handler started does not outlive ${how}`, async (t) => {
    const replica = await started(t);
    await end(replica);
    await eventually(() => !alive(replica.child) || undefined, 'the handler\'s process to end', 15_000);
  });
}
