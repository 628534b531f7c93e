import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Call, Queue } from '@postern/queue';
import { readSettings } from '@postern/settings';
import { Registry } from 'prom-client';
import { Unreachable } from './errors.js';
import type { DeployedFunction, FunctionList } from './function-list.js';
import type { Answer, Invoke } from './invoke.js';
import { queueWorkerSettings } from './settings.js';
import { makeCall, recordingLog, startServer, until } from './testing/fixtures.js';
import { openQueue } from './testing/open-queue.js';
import { type QueueWorker, startQueueWorker } from './worker.js';

const ok: Answer = { status: 200, headers: [['Content-Type', 'text/plain']], body: Buffer.from('out') };
const lane = (name: string, queue = 'default') => ({ queue, namespace: 'openfaas-fn', function: name });
const fn = (name: string, annotations: Record<string, string> = {}): DeployedFunction => ({ name, namespace: 'openfaas-fn', annotations });

let lastId = 0;
const callOf = (name: string, over: Partial<Call> = {}): Call => makeCall({ id: `call-${++lastId}`, lane: lane(name), acceptedNs: `${Date.now()}000000`, ...over });

interface Setup {
  readonly queue: Queue;
  readonly worker: QueueWorker;
  readonly metrics: Registry;
  readonly lines: Record<string, unknown>[];
  deploy(...functions: DeployedFunction[]): void;
}

/** A worker over an embedded queue with `functions` deployed; closed when the test ends. */
async function start(t: TestContext, invoke: Invoke, functions: readonly DeployedFunction[], env: Record<string, string> = {}, before: readonly Call[] = []): Promise<Setup> {
  const { queue, close } = await openQueue();
  for (const call of before) await queue.publish(call);
  let tell: Parameters<FunctionList['watch']>[0] = () => { /* until it is watched */ };
  const list: FunctionList = { watch: (listener) => { tell = listener; listener(functions); return () => { tell = () => { /* ended */ }; }; } };
  const { log, lines } = recordingLog();
  const metrics = new Registry();
  const settings = readSettings(queueWorkerSettings, { initial_retry_wait: '0s', callback_allow: '127.0.0.0/8', callback_min_wait: '1ms', shutdown_timeout: '1s', ...env });
  const worker = await startQueueWorker({ queue, functions: list, invoke, settings, log, metrics, lookEveryMs: 20 });
  t.after(async () => {
    await worker.close();
    await close();
  });
  return { queue, worker, metrics, lines, deploy: (...all) => { tell(all); } };
}

async function isEmpty(queue: Queue): Promise<boolean> {
  const { lanes, callbacks } = await queue.stats();
  return lanes.length === 0 && callbacks === 0;
}

test('a call is run, its result posted to its callback, and nothing of it is left', async (t) => {
  const receiver = await startServer((res) => { res.end(); });
  t.after(receiver.close);
  const seen: [string, number][] = [];
  const { queue } = await start(t, async (call, attempt) => { seen.push([call.id, attempt]); return ok; }, [fn('f')]);
  const call = callOf('f', { callbackUrl: `${receiver.url}/hook` });
  await queue.publish(call);
  await until(() => receiver.seen.length === 1, 'the callback arrives');
  await until(() => isEmpty(queue), 'the queue is empty');
  assert.deepEqual(seen, [[call.id, 1]]);
  assert.equal(receiver.seen[0]?.body.toString(), 'out');
  assert.equal(receiver.seen[0]?.headers['x-call-id'], call.id);
  assert.equal(receiver.seen[0]?.headers['x-function-status'], '200');
});

test('a function that fails twice is run three times with the same id, and its one callback comes in the end', async (t) => {
  const receiver = await startServer((res) => { res.end(); });
  t.after(receiver.close);
  const attempts: number[] = [];
  const { queue } = await start(t, async (_call, attempt) => { attempts.push(attempt); return { ...ok, status: attempt < 3 ? 500 : 200 }; }, [fn('f')]);
  await queue.publish(callOf('f', { callbackUrl: receiver.url }));
  await until(() => receiver.seen.length > 0, 'the callback arrives');
  await until(() => isEmpty(queue), 'the queue is empty');
  assert.deepEqual(attempts, [1, 2, 3]);
  assert.equal(receiver.seen.length, 1);
  assert.equal(receiver.seen[0]?.headers['x-retry'], '2');
});

test('after the last attempt a call is a dead letter with its cause, and the last answer is posted', async (t) => {
  const receiver = await startServer((res) => { res.end(); });
  t.after(receiver.close);
  const { queue } = await start(t, async () => ({ ...ok, status: 503 }), [fn('f', { 'com.openfaas.retry.attempts': '2' })]);
  const call = callOf('f', { callbackUrl: receiver.url });
  await queue.publish(call);
  await until(() => receiver.seen.length === 1, 'the callback arrives');
  const [letter] = await queue.deadLetters(10);
  assert.equal(letter?.callId, call.id);
  assert.deepEqual([letter.cause.code, letter.cause.status, letter.cause.attempts], ['status', 503, 2]);
  assert.equal(receiver.seen[0]?.headers['x-function-status'], '503');
});

test('a receiver that is down never runs a function again, and does not slow another receiver', async (t) => {
  const down = await startServer((res) => { res.writeHead(500).end(); });
  const up = await startServer((res) => { res.end(); });
  t.after(() => Promise.all([down.close(), up.close()]));
  let runs = 0;
  const { queue } = await start(t, async () => { runs++; return ok; }, [fn('f')]);
  for (let i = 0; i < 30; i++) await queue.publish(callOf('f', { callbackUrl: down.url }));
  await queue.publish(callOf('f', { callbackUrl: up.url }));
  await until(() => up.seen.length === 1 && down.seen.length > 40, 'one is delivered, the others are tried again');
  assert.equal(runs, 31);
});

test('a function whose calls hang does not hold up another', async (t) => {
  const { queue } = await start(t, (call, _attempt, signal) => (call.lane.function === 'quick' ? Promise.resolve(ok) : new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => { reject(signal.reason as Error); });
  })), [fn('stuck'), fn('quick')], { max_inflight: '2', shutdown_timeout: '0s' });
  for (let i = 0; i < 10; i++) await queue.publish(callOf('stuck'));
  for (let i = 0; i < 10; i++) await queue.publish(callOf('quick'));
  await until(async () => (await queue.stats()).lanes.every((each) => each.lane.function !== 'quick'), 'the other\'s calls are done');
});

test('postern.max-inflight holds, and changes while calls are running', async (t) => {
  const release: (() => void)[] = [];
  const limited = (n: number) => fn('f', { 'postern.max-inflight': String(n) });
  const { queue, deploy } = await start(t, () => new Promise((resolve) => { release.push(() => { resolve(ok); }); }), [limited(2)]);
  for (let i = 0; i < 10; i++) await queue.publish(callOf('f'));
  await until(() => release.length === 2, 'two are running');
  release[0]?.();
  await until(() => release.length === 3, 'one more follows one that ended');
  deploy(limited(5));
  release[1]?.();
  await until(() => release.length === 7, 'five are running');
  await until(() => {
    for (const each of release) each();
    return isEmpty(queue);
  }, 'all are done');
});

test('a function with room for two answers all of a hundred calls, though 429 would have used up their attempts', async (t) => {
  let running = 0;
  let refusals = 0;
  const full: Answer = { status: 429, headers: [['X-OpenFaaS-Internal', 'of-watchdog']], body: new Uint8Array() };
  const { queue } = await start(t, async () => {
    if (running === 2) { refusals++; return full; }
    running++;
    await new Promise((resolve) => { setTimeout(resolve, 2); });
    running--;
    return ok;
  }, [fn('f', { 'com.openfaas.retry.attempts': '2' })]);
  await Promise.all(Array.from({ length: 100 }, () => queue.publish(callOf('f'))));
  await until(() => isEmpty(queue), 'all are settled');
  assert.equal((await queue.stats()).dead, 0);
  t.diagnostic(`${refusals} refusals for 100 calls`);
});

test('an outage of the gateway uses up no attempts, and the backlog waits in the queue', async (t) => {
  let away = true;
  let tries = 0;
  const runs = new Map<string, number>();
  const { queue, lines } = await start(t, async ({ id }, attempt) => {
    tries++;
    if (away) throw new Unreachable('connect ECONNREFUSED', false);
    runs.set(id, attempt);
    return { ...ok, status: attempt === 1 ? 503 : 200 };
  }, [fn('f', { 'com.openfaas.retry.attempts': '2' })], { max_inflight: '5' });
  for (let i = 0; i < 40; i++) await queue.publish(callOf('f'));
  await until(() => tries >= 2, 'one is refused, and later tried again');
  assert.ok(tries <= 10, `${tries} tries for 5 in hand`);
  away = false;
  await until(() => isEmpty(queue), 'all are done');
  assert.deepEqual([runs.size, new Set(runs.values()), (await queue.stats()).dead], [40, new Set([2]), 0]);
  assert.deepEqual(lines.filter(({ level }) => Number(level) >= 40), []);
});

test('close does not wait for calls that wait for the gateway', async (t) => {
  let tries = 0;
  const { queue, worker } = await start(t, () => { tries++; return Promise.reject(new Unreachable('connect ECONNREFUSED', false)); }, [fn('f')], { shutdown_timeout: '1h', upstream_timeout: '1h' });
  await queue.publish(callOf('f'));
  await until(() => tries > 0, 'it is tried');
  await worker.close();
  assert.deepEqual((await queue.stats()).lanes, [{ lane: lane('f'), depth: 1 }]);
});

test('two thousand callbacks waiting for a slow receiver do not hold up one to another', async (t) => {
  const slow = await startServer((res) => { setTimeout(() => { res.end(); }, 300); });
  const healthy = await startServer((res) => { res.end(); });
  t.after(() => Promise.all([slow.close(), healthy.close()]));
  const { queue, metrics } = await start(t, async () => ok, [fn('f')]);
  const heldBack = async () => Number(/postern_worker_callbacks_total\{outcome="retry"\} (\d+)/.exec(await metrics.metrics())?.[1] ?? 0);
  await Promise.all(Array.from({ length: 2_000 }, () => queue.publish(callOf('f', { callbackUrl: slow.url }))));
  await until(async () => await heldBack() > 1_900, 'they are held back');
  const before = { served: slow.seen.length, heldBack: await heldBack() };
  await queue.publish(callOf('f', { callbackUrl: healthy.url }));
  await until(() => healthy.seen.length === 1, 'the healthy receiver has its callback');
  await until(() => slow.seen.length >= before.served + 50, 'the slow one is served on');
  const again = await heldBack() - before.heldBack;
  assert.ok(again < 1_000, `${again} more times held back while 50 were served: the backlog circles`);
  t.diagnostic(`held back ${again} more times while 50 were served`);
});

test('calls of a function that is gone, and of a queue it has left, are not forgotten', async (t) => {
  const notFound: Answer = {
    status: 404, headers: [['X-OpenFaaS-Internal', 'gateway']], body: Buffer.from('{"error":{"code":"function_not_found","message":"No function gone."}}'),
  };
  const ran: string[] = [];
  const invoke: Invoke = async (call) => { ran.push(`${call.lane.queue}/${call.lane.function}`); return call.lane.function === 'gone' ? notFound : ok; };
  const { queue } = await start(t, invoke, [fn('moved', { 'com.openfaas.queue': 'slow' })], {}, [callOf('gone'), callOf('moved'), callOf('moved', { lane: lane('moved', 'slow') })]);
  await until(() => isEmpty(queue), 'all are settled');
  assert.deepEqual(ran.toSorted(), ['default/gone', 'default/moved', 'slow/moved']);
  const [letter] = await queue.deadLetters(10);
  assert.equal(letter?.cause.code, 'function_not_found');
});

test('a lane that appears while the worker runs is found, and its consumer ends when it is empty', async (t) => {
  const { queue, metrics } = await start(t, async () => ok, []);
  await queue.publish(callOf('late'));
  await until(() => isEmpty(queue), 'the call is done');
  await until(async () => !(await metrics.metrics()).includes('queue_worker_pending_messages{queue_name="default",function_name="late.openfaas-fn"}'), 'the lane is forgotten');
});

test('close finishes what runs within the grace, lets go of the rest, and names it', async (t) => {
  const started: string[] = [];
  let finish: (() => void) | undefined;
  const { queue, worker, lines } = await start(t, (call, _attempt, signal) => new Promise((resolve, reject) => {
    started.push(call.lane.function);
    if (call.lane.function === 'quick') finish = () => { resolve(ok); };
    else signal.addEventListener('abort', () => { reject(signal.reason as Error); });
  }), [fn('quick'), fn('stuck')], { shutdown_timeout: '300ms' });
  const stuck = callOf('stuck');
  await queue.publish(callOf('quick'));
  await queue.publish(stuck);
  await until(() => started.length === 2, 'both are running');
  const closed = worker.close();
  finish?.();
  await closed;
  await worker.close();
  assert.deepEqual((await queue.stats()).lanes, [{ lane: lane('stuck'), depth: 1 }]);
  assert.deepEqual(lines.filter(({ call_ids }) => call_ids !== undefined).map(({ call_ids }) => call_ids), [[stuck.id]]);
});

test('an annotation that cannot be read is logged once, and the setting applies', async (t) => {
  const { lines, deploy } = await start(t, async () => ok, [fn('f', { 'com.openfaas.retry.attempts': 'many' })]);
  deploy(fn('f', { 'com.openfaas.retry.attempts': 'many' }), fn('g'));
  const warnings = lines.filter(({ annotation }) => annotation === 'com.openfaas.retry.attempts');
  assert.deepEqual(warnings.map(({ function: name, value }) => [name, value]), [['f', 'many']]);
});

test('metrics tell what waits, what runs and how attempts ended', async (t) => {
  const release: (() => void)[] = [];
  const invoke: Invoke = () => new Promise((resolve) => { release.push(() => { resolve(ok); }); });
  const { queue, metrics } = await start(t, invoke, [fn('f', { 'postern.max-inflight': '1' })]);
  await queue.publish(callOf('f'));
  await queue.publish(callOf('f'));
  const labels = '{queue_name="default",function_name="f.openfaas-fn"}';
  await until(async () => {
    const text = await metrics.metrics();
    return text.includes(`queue_worker_pending_messages${labels} 2`) && text.includes(`queue_worker_function_invocation_inflight${labels} 1`);
  }, 'one runs, two are pending');
  release[0]?.();
  await until(() => release.length === 2, 'the second runs');
  release[1]?.();
  await until(async () => (await metrics.metrics()).includes('postern_worker_attempts_total{function_name="f.openfaas-fn",outcome="done"} 2'), 'two are counted');
  assert.ok((await metrics.metrics()).includes('queue_worker_messages_processed_total{queue_name="default"} 2'));
});
