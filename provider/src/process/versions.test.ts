import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../testing/eventually.js';
import { ask, hold, isAlive, openProvider, pidOf, program, ready, stateOf, temporaryFolder } from './testing/open-provider.js';

test('an update serves from the old replica until the new one is ready, and the old one finishes what it has', async (t) => {
  const provider = await openProvider(await temporaryFolder(t));
  await provider.deploy(program('hello', { envVars: { V: '1' } }));
  const old = await stateOf(provider, 'hello', ready);
  const pid = await pidOf(old);
  const held = await hold(old);
  const seen: number[] = [];
  const unwatch = provider.watch((event) => { if (event.kind === 'changed') seen.push(event.state.endpoints.length); });
  await provider.update(program('hello', { envVars: { V: '2' } }));
  const updated = await stateOf(provider, 'hello', (state) => ready(state) && state.endpoints[0]?.url !== old.endpoints[0]?.url);
  unwatch();
  assert.ok(seen.every((count) => count === 1), `at every moment one endpoint: ${seen.join(' ')}`);
  assert.equal((JSON.parse(await ask(updated, '/env')) as Record<string, string>)['V'], '2');
  assert.ok(isAlive(pid));
  await ask(old, '/release');
  assert.equal(await held.answer, 'released');
  await eventually(() => !isAlive(pid));
});

test('code that changed in the handler\'s folder runs after the function is deployed again, though its specification is the same', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'version'), 'one');
  const provider = await openProvider(folder);
  const spec = program('hello', { annotations: { 'postern.lang': 'node', 'postern.handler': folder } });
  await provider.deploy(spec);
  const first = await stateOf(provider, 'hello', ready);
  assert.equal(await ask(first, '/version'), 'one');
  assert.equal(await ask(first, '/cwd'), folder);
  await writeFile(join(folder, 'version'), 'two');
  await provider.update(spec);
  const second = await stateOf(provider, 'hello', (state) => ready(state) && state.endpoints[0]?.url !== first.endpoints[0]?.url);
  assert.equal(await ask(second, '/version'), 'two');
});

for (const [fault, why] of [['die', /given up.*exit code 3: handler\.js:3: this cannot be read$/], ['never-ready', /given up.*was not ready within 1 s$/]] as const) {
  test(`a new version that does not start (${fault}) leaves the old one serving and says why, also after a restart`, async (t) => {
    const folder = await temporaryFolder(t);
    const provider = await openProvider(folder, { startDeadlineMs: fault === 'die' ? 20_000 : 1_000 });
    await provider.deploy(program('hello', { image: 'good' }));
    const old = await stateOf(provider, 'hello', ready);
    await provider.update(program('hello', { image: 'bad', envVars: { fake: fault } }));
    assert.equal((await provider.get({ name: 'hello', namespace: 'fn' }))?.spec.image, 'bad');
    const state = await stateOf(provider, 'hello', ({ reason }) => reason !== undefined && why.test(reason));
    assert.deepEqual([state.spec.image, state.endpoints], ['good', old.endpoints]);
    await provider.close();
    const again = await openProvider(folder);
    const restored = await stateOf(again, 'hello', ready);
    assert.equal(restored.spec.image, 'good');
  });
}

test('a new version that ends right after it was ready never serves, and the reason says what it last wrote', async (t) => {
  const provider = await openProvider(await temporaryFolder(t), { settleMs: 5_000 });
  await provider.deploy(program('hello', { image: 'good' }));
  const old = await stateOf(provider, 'hello', ready);
  const seen = new Set<string>();
  const unwatch = provider.watch((event) => { if (event.kind === 'changed') seen.add(JSON.stringify(event.state.endpoints)); });
  await provider.update(program('hello', { image: 'bad', envVars: { fake: 'short-lived' } }));
  const state = await stateOf(provider, 'hello', ({ reason }) => /given up.*exit code 4: no database$/.test(reason ?? ''));
  unwatch();
  assert.equal(state.spec.image, 'good');
  assert.deepEqual([...seen], [JSON.stringify(old.endpoints)]);
});

test('replicas asked for during an update are there whatever becomes of it', async (t) => {
  const provider = await openProvider(await temporaryFolder(t), { startDeadlineMs: 5_000 });
  await provider.deploy(program('hello', { image: 'good' }));
  await stateOf(provider, 'hello', ready);
  await provider.update(program('hello', { image: 'bad', labels: { 'com.openfaas.scale.min': '2' }, envVars: { fake: 'never-ready' } }));
  await provider.scale({ name: 'hello', namespace: 'fn' }, 3);
  await stateOf(provider, 'hello', ({ endpoints }) => endpoints.length === 3);
  const after = await stateOf(provider, 'hello', ({ reason }) => reason?.includes('given up') === true);
  assert.deepEqual([after.spec.image, after.replicas, after.endpoints.length], ['good', 3, 3]);
});

test('an update that is given up takes the replicas it wanted with it', async (t) => {
  const provider = await openProvider(await temporaryFolder(t));
  await provider.deploy(program('hello', { image: 'good' }));
  await stateOf(provider, 'hello', ready);
  await provider.update(program('hello', { image: 'bad', labels: { 'com.openfaas.scale.min': '3' }, envVars: { fake: 'die' } }));
  const after = await stateOf(provider, 'hello', ({ reason }) => reason?.includes('given up') === true);
  assert.deepEqual([after.replicas, after.endpoints.length], [1, 1]);
});

test('what a watcher is told of an update is never between two states', async (t) => {
  const provider = await openProvider(await temporaryFolder(t));
  await provider.deploy(program('hello', { image: 'one', labels: { 'com.openfaas.scale.min': '3' } }));
  await stateOf(provider, 'hello', ready);
  const seen: string[] = [];
  const unwatch = provider.watch((event) => { if (event.kind === 'changed') seen.push(`${event.state.spec.image} ${event.state.endpoints.length}`); });
  const labels = { 'com.openfaas.scale.min': '3' };
  await provider.update(program('hello', { image: 'two', labels, envVars: { fake: 'never-ready' } }));
  await provider.update(program('hello', { image: 'three', labels, envVars: { V: '3' } }));
  await eventually(async () => {
    const state = await stateOf(provider, 'hello', ready);
    return (JSON.parse(await ask(state, '/env')) as Record<string, string>)['V'] === '3';
  });
  unwatch();
  assert.deepEqual([...new Set(seen)], ['one 3', 'two 3', 'three 3']);
});

test('an update the provider did not live to finish is finished by the next', async (t) => {
  const folder = await temporaryFolder(t);
  const first = await openProvider(folder, { graceMs: 100 });
  await first.deploy(program('hello', { image: 'one' }));
  await stateOf(first, 'hello', ready);
  await first.update(program('hello', { image: 'two', envVars: { fake: 'never-ready' } }));
  await first.close();
  const path = join(folder, 'functions/hello.fn.json');
  await writeFile(path, (await readFile(path, 'utf8')).replace('never-ready', 'nothing'));
  const second = await openProvider(folder);
  // While the update is tried, the specification is the new one and the endpoint still the old one's.
  await eventually(async () => {
    const state = await stateOf(second, 'hello', ready);
    return (JSON.parse(await ask(state, '/env')) as Record<string, string>)['fake'] === 'nothing';
  });
  assert.equal((await second.get({ name: 'hello', namespace: 'fn' }))?.spec.image, 'two');
});

test('a restart amid an update that cannot start still serves the version before', async (t) => {
  const folder = await temporaryFolder(t);
  const first = await openProvider(folder, { graceMs: 100 });
  await first.deploy(program('hello', { image: 'one' }));
  await stateOf(first, 'hello', ready);
  await first.update(program('hello', { image: 'two', envVars: { fake: 'never-ready' } }));
  await first.close();
  const second = await openProvider(folder, { startDeadlineMs: 3_000 });
  const state = await stateOf(second, 'hello', ({ reason }) => reason?.includes('given up') === true);
  assert.equal(state.spec.image, 'one');
  assert.equal((await stateOf(second, 'hello', ({ endpoints }) => endpoints.length === 1)).spec.image, 'one');
});

test('a first version that does not start is tried again and again, and the reason says what it last wrote', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'version'), 'broken');
  const provider = await openProvider(folder);
  await provider.deploy(program('hello', { annotations: { 'postern.lang': 'web', 'postern.handler': folder } }));
  await stateOf(provider, 'hello', ({ reason }) => reason?.includes('exit code 3: handler.js:3: this cannot be read') === true);
  await writeFile(join(folder, 'version'), 'mended');
  assert.equal(await ask(await stateOf(provider, 'hello', ready), '/version'), 'mended');
});
