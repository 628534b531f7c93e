import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deployAll } from './deploy-all.js';
import { InvalidFunction } from './errors.js';
import { exampleSpec } from './testing/example-spec.js';
import { MemoryProvider } from './testing/memory-provider.js';
import { recordEvents } from './testing/record-events.js';

const spec = (name: string): ReturnType<typeof exampleSpec> => exampleSpec({ name, namespace: 'openfaas-fn' });

test('new functions are deployed, changed ones updated, and the others left alone', async () => {
  const provider = new MemoryProvider();
  for (const name of ['same', 'changed', 'unnamed']) await provider.deploy(spec(name));
  const record = recordEvents(provider);
  const before = record.events.length;
  await deployAll(provider, [spec('new'), spec('same'), { ...spec('changed'), envVars: { version: '2' } }]);
  const told = record.events.slice(before).map((event) => event.kind === 'changed' && event.state.spec.name);
  assert.deepEqual(told, ['new', 'changed']);
  assert.equal((await provider.get(spec('changed')))?.spec.envVars['version'], '2');
  assert.ok(await provider.get(spec('unnamed')));
});

test('a function the provider cannot run is handed back with the reason, and the others are deployed', async () => {
  const provider = new MemoryProvider();
  const bad = spec('bad');
  const reason = new InvalidFunction('no such lang');
  const deploy = provider.deploy.bind(provider);
  provider.deploy = async (given) => {
    if (given.name === 'bad') throw reason;
    await deploy(given);
  };
  assert.deepEqual(await deployAll(provider, [spec('one'), bad, spec('two')]), [{ spec: bad, error: reason }]);
  assert.deepEqual((await provider.list('openfaas-fn')).map((state) => state.spec.name), ['one', 'two']);
});
