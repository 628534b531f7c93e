import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FunctionExists, FunctionNotFound, InvalidFunction, ProviderUnavailable } from '../errors.js';
import { eventually } from '../testing/eventually.js';
import { ask, hold, isAlive, openProvider, pidOf, program, ready, stateOf, temporaryFolder } from './testing/open-provider.js';

test('a deployed function gets as many ready replicas as com.openfaas.scale.min says', async (t) => {
  const provider = await openProvider(await temporaryFolder(t));
  await provider.deploy(program('hello', { labels: { 'com.openfaas.scale.min': '2' } }));
  const state = await stateOf(provider, 'hello', ready);
  assert.equal(state.endpoints.length, 2);
  assert.notEqual(await pidOf(state, 0), await pidOf(state, 1));
});

test('deploy, update, remove, scale and logs refuse what is there or is not', async (t) => {
  const provider = await openProvider(await temporaryFolder(t));
  await provider.deploy(program('hello'));
  await assert.rejects(provider.deploy(program('hello')), FunctionExists);
  await assert.rejects(provider.update(program('other')), FunctionNotFound);
  await assert.rejects(provider.remove({ name: 'hello', namespace: 'elsewhere' }), FunctionNotFound);
  await assert.rejects(provider.scale({ name: 'other', namespace: 'fn' }, 1), FunctionNotFound);
  for (const replicas of [1.5, -1, 1_001, 100_000_000]) {
    await assert.rejects(provider.scale({ name: 'hello', namespace: 'fn' }, replicas), (error) => error instanceof InvalidFunction && /from 0 to 1000/.test(error.message));
  }
  await assert.rejects(provider.logs({ name: 'other', namespace: 'fn', follow: false, signal: AbortSignal.abort() }), FunctionNotFound);
});

test('two deploys of one name at once: one wins, the other is told', async (t) => {
  const provider = await openProvider(await temporaryFolder(t));
  const results = await Promise.allSettled([provider.deploy(program('hello')), provider.deploy(program('hello'))]);
  assert.deepEqual(results.map(({ status }) => status), ['fulfilled', 'rejected']);
});

for (const [changes, message] of [
  [{ annotations: { 'postern.lang': 'cobol', 'postern.handler': '/' } },
    /cannot run lang "cobol"; it knows node, web, node18, node20, node22, python3-http, python3-http-debian, dockerfile, none$/],
  [{ annotations: { 'postern.lang': 'node' } }, /lang node needs a handler/],
  [{ annotations: { 'postern.lang': 'node', 'postern.handler': '/nowhere/at/all' } }, /handler \/nowhere\/at\/all does not exist/],
  [{ envProcess: '' }, /starts programs and local handlers, not images: set fprocess, or lang and handler/],
  [{ secrets: ['db'] }, /there is no secret db in namespace fn: create it first/],
  [{ labels: { 'com.openfaas.scale.min': 'x' } }, /expected a whole number/],
] as const) {
  test(`a function that cannot run here is refused: ${message.source.slice(0, 50)}`, async (t) => {
    const provider = await openProvider(await temporaryFolder(t));
    await assert.rejects(provider.deploy(program('hello', changes)), (error) => error instanceof InvalidFunction && message.test(error.message));
    assert.deepEqual(await provider.list('fn'), []);
  });
}

test('a replica that dies is started again, and its endpoint is gone in between', async (t) => {
  const provider = await openProvider(await temporaryFolder(t));
  await provider.deploy(program('hello'));
  const before = await stateOf(provider, 'hello', ready);
  const pid = await pidOf(before);
  const gone = stateOf(provider, 'hello', ({ endpoints, reason }) => endpoints.length === 0 && reason?.includes('exit code 1: told to exit') === true);
  await assert.rejects(ask(before, '/exit?code=1'));
  await gone;
  const after = await stateOf(provider, 'hello', ready);
  assert.notEqual(await pidOf(after), pid);
  assert.equal(after.endpoints[0]?.replica, before.endpoints[0]?.replica);
});

test('a replica that says it is unready is no endpoint', async (t) => {
  const provider = await openProvider(await temporaryFolder(t));
  await provider.deploy(program('hello'));
  await ask(await stateOf(provider, 'hello', ready), '/unready');
  const state = await stateOf(provider, 'hello', ({ endpoints }) => endpoints.length === 0);
  assert.match(state.reason ?? '', /told to be$/);
});

test('a replica that stays unready is started anew after the start\'s deadline', async (t) => {
  const provider = await openProvider(await temporaryFolder(t), { startDeadlineMs: 2_000 });
  await provider.deploy(program('hello'));
  const before = await stateOf(provider, 'hello', ready);
  const pid = await pidOf(before);
  await ask(before, '/unready');
  await stateOf(provider, 'hello', ({ reason }) => reason?.endsWith('was not ready again within 2 s: told to be') === true);
  assert.notEqual(await pidOf(await stateOf(provider, 'hello', ready)), pid);
});

test('a replica that will take nothing more is replaced while it finishes what it has', async (t) => {
  const provider = await openProvider(await temporaryFolder(t));
  await provider.deploy(program('hello'));
  const before = await stateOf(provider, 'hello', ready);
  const pid = await pidOf(before);
  const held = await hold(before);
  const gone = stateOf(provider, 'hello', ({ endpoints, reason }) => endpoints.length === 0 && reason?.includes('an error nobody caught') === true);
  await ask(before, '/crash');
  await gone;
  const after = await stateOf(provider, 'hello', ready);
  assert.notEqual(await pidOf(after), pid);
  assert.ok(isAlive(pid));
  await ask(before, '/release');
  assert.equal(await held.answer, 'released');
  await eventually(() => !isAlive(pid));
});

test('scaling up starts replicas beside the others; scaling down lets the leaving finish; zero leaves none', async (t) => {
  const provider = await openProvider(await temporaryFolder(t));
  const ref = { name: 'hello', namespace: 'fn' };
  await provider.deploy(program('hello'));
  const one = await stateOf(provider, 'hello', ready);
  await provider.scale(ref, 3);
  const three = await stateOf(provider, 'hello', (state) => ready(state) && state.replicas === 3);
  assert.equal(three.endpoints[0]?.url, one.endpoints[0]?.url);
  const pids = await Promise.all([0, 1, 2].map((i) => pidOf(three, i)));
  const held = await hold(three);
  await provider.scale(ref, 0);
  const none = await stateOf(provider, 'hello', ({ endpoints }) => endpoints.length === 0);
  assert.deepEqual([none.replicas, none.reason], [0, undefined]);
  await eventually(() => pids.filter(isAlive).length === 1);
  await ask(three, '/release', 0);
  assert.equal(await held.answer, 'released');
  await eventually(() => !pids.some(isAlive));
});

test('a removed function ends, and its files with it', async (t) => {
  const folder = await temporaryFolder(t);
  const provider = await openProvider(folder);
  await provider.deploy(program('hello'));
  const state = await stateOf(provider, 'hello', ready);
  await ask(state, '/say?text=something');
  const pid = await pidOf(state);
  await provider.remove({ name: 'hello', namespace: 'fn' });
  assert.deepEqual(await provider.list('fn'), []);
  assert.equal(await provider.get({ name: 'hello', namespace: 'fn' }), undefined);
  await eventually(() => !isAlive(pid));
  await provider.close();
  assert.deepEqual([await readdir(join(folder, 'functions')), await readdir(join(folder, 'logs/fn/hello')).catch(() => [])], [[], []]);
});

test('a function deployed anew right after its removal is another function', async (t) => {
  const provider = await openProvider(await temporaryFolder(t));
  await provider.deploy(program('hello', { image: 'one' }));
  const first = await stateOf(provider, 'hello', ready);
  await provider.remove({ name: 'hello', namespace: 'fn' });
  await provider.deploy(program('hello', { image: 'two' }));
  const second = await stateOf(provider, 'hello', ready);
  assert.equal(second.spec.image, 'two');
  assert.notEqual(second.endpoints[0]?.replica, first.endpoints[0]?.replica);
});

test('what is deployed starts again with the next provider, and a damaged file keeps nobody else from starting', async (t) => {
  const folder = await temporaryFolder(t);
  const first = await openProvider(folder);
  await first.deploy(program('hello', { labels: { team: 'red' } }));
  await first.deploy(program('other', { namespace: 'staging' }));
  await first.scale({ name: 'hello', namespace: 'fn' }, 2);
  const before = await first.get({ name: 'hello', namespace: 'fn' });
  await first.close();
  await writeFile(join(folder, 'functions/bad.fn.json'), '{ "version": 1,');
  const stored = await readFile(join(folder, 'functions/hello.fn.json'), 'utf8');
  await writeFile(join(folder, 'functions/many.fn.json'), stored.replace('"hello"', '"many"').replace('"team": "red"', '"com.openfaas.scale.min": "100000000"'));
  const second = await openProvider(folder);
  const after = await stateOf(second, 'hello', ready);
  assert.deepEqual([after.spec, after.createdAt, after.replicas], [before?.spec, before?.createdAt, 2]);
  assert.equal((await second.list('staging')).length, 1);
  assert.deepEqual((await second.list('')).map(({ spec }) => spec.name), ['hello']);
});

test('a function that cannot be stored is not deployed, and one that is there stays as it was', async (t) => {
  const folder = await temporaryFolder(t);
  const provider = await openProvider(folder);
  await provider.deploy(program('hello', { image: 'one' }));
  await rm(join(folder, 'functions'), { recursive: true });
  await assert.rejects(provider.deploy(program('other')), ProviderUnavailable);
  await assert.rejects(provider.update(program('hello', { image: 'two' })), ProviderUnavailable);
  assert.deepEqual((await provider.list('fn')).map(({ spec }) => spec.image), ['one']);
  assert.ok(ready(await stateOf(provider, 'hello', ready)));
});

test('a half-written file of a function is not read', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'functions'));
  await writeFile(join(folder, 'functions/hello.fn.json.new'), '{');
  const provider = await openProvider(folder);
  await provider.deploy(program('hello'));
  assert.deepEqual(await readdir(join(folder, 'functions')), ['hello.fn.json']);
});

test('watch tells every function, then that it has, then each change, until it is ended', async (t) => {
  const provider = await openProvider(await temporaryFolder(t));
  await provider.deploy(program('one', { labels: { 'com.openfaas.scale.min': '0' } }));
  const seen: string[] = [];
  const unwatch = provider.watch((event) => seen.push(event.kind === 'changed' ? `changed ${event.state.spec.name}` : event.kind));
  assert.deepEqual(seen, ['changed one', 'synced']);
  await provider.deploy(program('two', { labels: { 'com.openfaas.scale.min': '0' } }));
  await provider.remove({ name: 'one', namespace: 'fn' });
  unwatch();
  await provider.remove({ name: 'two', namespace: 'fn' });
  assert.deepEqual(seen, ['changed one', 'synced', 'changed two', 'removed']);
});

test('a watcher that throws keeps nothing from happening', async (t) => {
  const provider = await openProvider(await temporaryFolder(t));
  provider.watch(({ kind }) => { if (kind === 'changed') throw new Error('a bug of the watcher'); });
  await provider.deploy(program('hello'));
  assert.ok(ready(await stateOf(provider, 'hello', ready)));
});

test('close lets a function finish, leaves no process, and takes nothing more', async (t) => {
  const provider = await openProvider(await temporaryFolder(t));
  await provider.deploy(program('hello', { labels: { 'com.openfaas.scale.min': '2' } }));
  const state = await stateOf(provider, 'hello', ready);
  const pids = await Promise.all([pidOf(state, 0), pidOf(state, 1)]);
  const held = await hold(state);
  const closed = provider.close();
  await eventually(() => !isAlive(pids[1] ?? 0));
  await ask(state, '/release');
  assert.equal(await held.answer, 'released');
  await closed;
  await provider.close();
  assert.deepEqual(pids.map(isAlive), [false, false]);
  await assert.rejects(provider.deploy(program('late')), ProviderUnavailable);
});

test('a function that will not end is ended with everything it started, once the grace is over', async (t) => {
  const provider = await openProvider(await temporaryFolder(t), { graceMs: 200 });
  await provider.deploy(program('hello', { envVars: { fake: 'deaf' } }));
  const state = await stateOf(provider, 'hello', ready);
  const pids = [await pidOf(state), Number(await ask(state, '/child'))];
  t.after(() => { for (const pid of pids.filter(isAlive)) process.kill(pid, 'SIGKILL'); });
  assert.deepEqual(pids.map(isAlive), [true, true]);
  await provider.close();
  await eventually(() => !pids.some(isAlive));
});

test('a dozen functions deployed at once all get ready', async (t) => {
  const provider = await openProvider(await temporaryFolder(t));
  const names = Array.from({ length: 12 }, (_, i) => `fn-${i}`);
  await Promise.all(names.map((name) => provider.deploy(program(name))));
  await Promise.all(names.map((name) => stateOf(provider, name, ready, 40_000)));
});
