import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { OrphanGuard } from './guard.js';
import { eventually, isAlive } from './testing/watchdog-process.js';

async function group(t: TestContext): Promise<number> {
  const child = spawn('sleep', ['300'], { detached: true, stdio: 'ignore' });
  await once(child, 'spawn');
  t.after(() => child.kill('SIGKILL'));
  return child.pid ?? 0;
}

test('closing the guard kills the groups it was told of, but none that was taken off the list', async (t) => {
  const guard = new OrphanGuard();
  const [first, spared, last] = [await group(t), await group(t), await group(t)];
  for (const pid of [first, spared, last]) guard.add(pid);
  guard.remove(spared);
  guard.close();
  await eventually(async () => !(await isAlive(first)) && !(await isAlive(last)));
  assert.ok(await isAlive(spared));
});

test('a guard that was killed is replaced and knows every group', async (t) => {
  const guard = new OrphanGuard();
  const [before, after] = [await group(t), await group(t)];
  guard.add(before);
  const killed = guard.pid ?? 0;
  process.kill(killed, 'SIGKILL');
  await eventually(() => guard.pid !== undefined && guard.pid !== killed);
  guard.add(after);
  guard.close();
  await eventually(async () => !(await isAlive(before)) && !(await isAlive(after)));
});
