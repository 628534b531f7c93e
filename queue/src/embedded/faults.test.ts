/** What only real processes and real disks show: one owner, kill -9, a full disk. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { QueueFull, QueueMisconfigured, QueueUnavailable } from '../errors.js';
import { done, echo, eventually, eventuallyDepth, recordingConsumer, sampleCall } from '../testing/contract-fixture.js';
import { openEmbeddedQueue } from './open.js';
import { lockFolder } from './owner-lock.js';

const log = pino({ level: 'silent' });

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'postern-queue-'));
  t.after(() => { rmSync(folder, { recursive: true, force: true }); });
  return folder;
}

interface LoadProcess {
  readonly child: ChildProcess;
  readonly lines: Interface;
}

function startLoad(t: TestContext, dataDir: string, ...killAt: string[]): LoadProcess {
  const program = fileURLToPath(new URL('../testing/embedded-load.js', import.meta.url));
  const child = spawn(process.execPath, [program, dataDir, ...killAt], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => { child.kill('SIGKILL'); });
  return { child, lines: createInterface({ input: child.stdout }) };
}

async function kill9({ child, lines }: LoadProcess): Promise<void> {
  const closed = once(lines, 'close');
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await Promise.all([closed, exited]);
}

test('a folder has one owner: the second is told folder and pid, and may have it once the first was killed', async (t) => {
  const dataDir = temporaryFolder(t);
  const owner = startLoad(t, dataDir);
  await once(owner.lines, 'line');
  await assert.rejects(openEmbeddedQueue({ dataDir, log }), (error) => error instanceof QueueMisconfigured
    && error.message.includes(join(dataDir, 'queue')) && error.message.includes(`pid ${owner.child.pid}`));
  await kill9(owner);
  const queue = await openEmbeddedQueue({ dataDir, log });
  await assert.rejects(openEmbeddedQueue({ dataDir, log }), QueueMisconfigured);
  await queue.close();
});

test('of many that find a dead owner\'s socket at once, one gets the folder', async (t) => {
  const dataDir = temporaryFolder(t);
  const owner = startLoad(t, dataDir);
  await once(owner.lines, 'line');
  await kill9(owner);
  const tries = await Promise.allSettled(Array.from({ length: 20 }, () => lockFolder(join(dataDir, 'queue'))));
  const locks = tries.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  assert.equal(locks.length, 1);
  for (const lock of locks) await lock.release();
  await (await lockFolder(join(dataDir, 'queue'))).release();
});

test('a folder with a long path has one owner too', async (t) => {
  const dataDir = join(temporaryFolder(t), 'x'.repeat(120));
  const queue = await openEmbeddedQueue({ dataDir, log });
  await assert.rejects(openEmbeddedQueue({ dataDir, log }), QueueMisconfigured);
  await queue.close();
  await (await openEmbeddedQueue({ dataDir, log })).close();
});

test('a folder that cannot be made, and files that are no store, are refused in one line', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'a-file'), '');
  const broken = join(folder, 'broken');
  mkdirSync(join(broken, 'queue'), { recursive: true });
  writeFileSync(join(broken, 'queue', 'data.mdb'), Buffer.alloc(64 * 1_024, 'no store'));
  for (const dataDir of [join(folder, 'a-file'), broken]) {
    await assert.rejects(openEmbeddedQueue({ dataDir, log }), (error) => error instanceof QueueMisconfigured
      && error.message.includes(join(dataDir, 'queue')) && !error.message.includes('\n'));
  }
});

test('kill -9 under load loses no accepted call, and what was delivered comes again one attempt up', async (t) => {
  const dataDir = temporaryFolder(t);
  const owed = new Set<string>();
  const lastAttempt = new Map<string, number>();
  for (let round = 0; round < 4; round++) {
    // Fewer than it takes for hanging handlers to fill every slot.
    const killAfter = 100 + Math.floor(Math.random() * 800);
    // Killed at any moment, or by itself the instant a handler is called.
    const load = round % 2 === 0 ? startLoad(t, dataDir) : startLoad(t, dataDir, String(killAfter));
    let accepted = 0;
    let repeated = 0;
    load.lines.on('line', (line) => {
      const [word, id = '', attempt = ''] = line.split(' ');
      if (word === 'accepted') {
        owed.add(id);
        if (++accepted === killAfter && round % 2 === 0) load.child.kill('SIGKILL');
      } else if (word === 'delivered') {
        if (Number(attempt) <= (lastAttempt.get(id) ?? 0)) repeated++;
        lastAttempt.set(id, Number(attempt));
      }
    });
    await Promise.all([once(load.lines, 'close'), once(load.child, 'exit')]);
    assert.equal(repeated, 0);
  }

  const queue = await openEmbeddedQueue({ dataDir, log });
  const consumer = await recordingConsumer(queue, echo, 100, () => done);
  await eventually('the queue is empty', async () => (await queue.stats()).lanes.length === 0);
  await queue.close();
  const again = new Map(consumer.seen.map(({ id, attempt }) => [id, attempt]));
  const lost = [...owed].filter((id) => !lastAttempt.has(id) && !again.has(id));
  assert.deepEqual(lost, []);
  const notHigher = [...again].filter(([id, attempt]) => attempt <= (lastAttempt.get(id) ?? 0));
  assert.deepEqual(notHigher, []);
  assert.ok([...again.values()].some((attempt) => attempt > 1), 'some calls were in a handler when the process was killed');
});

test('at maxBytes a publish is QueueFull, and accepted again once calls are gone', async (t) => {
  const queue = await openEmbeddedQueue({ dataDir: temporaryFolder(t), log, maxBytes: 2 ** 20 });
  const body = new Uint8Array(50_000);
  await assert.rejects(async () => {
    for (let i = 0; i < 100; i++) await queue.publish(sampleCall({ body }));
  }, QueueFull);
  const consumer = await recordingConsumer(queue, echo, 5, () => done);
  await eventuallyDepth(queue, echo, 0);
  assert.ok(consumer.seen.length >= 10);
  await queue.publish(sampleCall({ body }));
  await queue.close();
});

const cannotMount = process.getuid?.() === 0 && process.platform === 'linux' ? false : 'a small tmpfs can be mounted by root on Linux only';

for (const [size, bodyBytes] of [['large', 20_000], ['small', 200]] as const) {
  test(`a disk filled by ${size} calls: QueueUnavailable, nothing accepted is lost, and it drains and accepts again`, { skip: cannotMount }, async (t) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'postern-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', dataDir]);
    const queue = await openEmbeddedQueue({ dataDir, log });
    t.after(async () => {
      await queue.close();
      execFileSync('umount', [dataDir]);
      rmSync(dataDir, { recursive: true });
    });
    const body = new Uint8Array(bodyBytes);
    const accepted: string[] = [];
    await assert.rejects(async () => {
      for (;;) {
        const calls = Array.from({ length: 20 }, () => sampleCall({ body }));
        await Promise.all(calls.map(async (call) => {
          await queue.publish(call);
          accepted.push(call.id);
        }));
      }
    }, QueueUnavailable);
    for (let i = 0; i < 50; i++) {
      const call = sampleCall({ body });
      await queue.publish(call).then(() => accepted.push(call.id), (error: unknown) => { assert.ok(error instanceof QueueUnavailable); });
    }
    const consumer = await recordingConsumer(queue, echo, 100, () => done);
    await eventuallyDepth(queue, echo, 0);
    assert.deepEqual(new Set(consumer.seen.map(({ id }) => id)), new Set(accepted));
    await eventually('the queue is ready', () => queue.ready);
    await queue.publish(sampleCall({ body }));
  });
}
