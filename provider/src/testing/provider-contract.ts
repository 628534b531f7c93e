/**
 * What every provider driver guarantees, as tests: a driver's own test file calls `providerContract` with a way to
 * open it. Whether replicas really run is each driver's own to prove.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { FunctionExists, FunctionNotFound } from '../errors.js';
import { functionKey, type FunctionEvent, type FunctionRef, type FunctionSpec, type Provider } from '../provider.js';
import { recordEvents, type EventRecord } from './record-events.js';

/** A driver without functions. */
export interface OpenedProvider {
  readonly provider: Provider;
  /** A function this driver can run. */
  spec(ref: FunctionRef): FunctionSpec;
  /** Closes the provider, if the test has not, and all behind it. */
  close(): Promise<void>;
}

const hello: FunctionRef = { name: 'hello', namespace: 'openfaas-fn' };
const other: FunctionRef = { name: 'other', namespace: 'openfaas-fn' };
const elsewhere: FunctionRef = { name: 'hello', namespace: 'staging' };

export function providerContract(driver: string, open: () => Promise<OpenedProvider>): void {
  const promise = (name: string, check: (opened: OpenedProvider, t: TestContext) => Promise<void>): void => {
    test(`${driver}: ${name}`, async (t) => {
      const opened = await open();
      t.after(() => opened.close());
      await check(opened, t);
    });
  };
  const recorded = (provider: Provider, t: TestContext): EventRecord => {
    const record = recordEvents(provider);
    t.after(() => record.stop());
    return record;
  };

  promise('a deployed function is there as it was specified', async ({ provider, spec }) => {
    const wanted = { ...spec(hello), envVars: { greeting: 'hé, a=b' }, labels: { team: 'a' } };
    await provider.deploy(wanted);
    const state = await provider.get(hello);
    assert.deepEqual(state?.spec, wanted);
    assert.ok(!Number.isNaN(Date.parse(state.createdAt)));
    assert.deepEqual((await provider.list(hello.namespace)).map((listed) => listed.spec), [wanted]);
  });

  promise('a second deployment of a name is refused and changes nothing', async ({ provider, spec }) => {
    await provider.deploy(spec(hello));
    await assert.rejects(provider.deploy({ ...spec(hello), envVars: { second: 'yes' } }), FunctionExists);
    assert.deepEqual((await provider.get(hello))?.spec, spec(hello));
  });

  promise('what is not deployed is neither got, updated, scaled, removed nor read', async ({ provider, spec }) => {
    await provider.deploy(spec(other));
    assert.equal(await provider.get(hello), undefined);
    await assert.rejects(provider.update(spec(hello)), FunctionNotFound);
    await assert.rejects(provider.scale(hello, 2), FunctionNotFound);
    await assert.rejects(provider.remove(hello), FunctionNotFound);
    await assert.rejects(provider.logs({ ...hello, follow: false, signal: AbortSignal.timeout(10_000) }), FunctionNotFound);
    assert.equal((await provider.list(hello.namespace)).length, 1);
  });

  promise('an update replaces the specification and keeps the date of creation', async ({ provider, spec }) => {
    await provider.deploy(spec(hello));
    const before = await provider.get(hello);
    const changed = { ...spec(hello), envVars: { version: '2' } };
    await provider.update(changed);
    const after = await provider.get(hello);
    assert.deepEqual(after?.spec, changed);
    assert.equal(after.createdAt, before?.createdAt);
  });

  promise('a removed function is gone, and its name is free', async ({ provider, spec }) => {
    await provider.deploy(spec(hello));
    await provider.remove(hello);
    assert.equal(await provider.get(hello), undefined);
    assert.deepEqual(await provider.list(hello.namespace), []);
    await assert.rejects(provider.remove(hello), FunctionNotFound);
    await provider.deploy(spec(hello));
    assert.deepEqual((await provider.get(hello))?.spec, spec(hello));
  });

  promise('one name in two namespaces is two functions', async ({ provider, spec }) => {
    for (const ref of [hello, elsewhere, other]) await provider.deploy(spec(ref));
    const names = async (namespace: string): Promise<string[]> =>
      (await provider.list(namespace)).map((state) => functionKey(state.spec)).sort();
    assert.deepEqual(await names('openfaas-fn'), ['hello.openfaas-fn', 'other.openfaas-fn']);
    assert.deepEqual(await names('staging'), ['hello.staging']);
    assert.deepEqual(await names('nowhere'), []);
    await provider.remove(elsewhere);
    assert.deepEqual(await names('openfaas-fn'), ['hello.openfaas-fn', 'other.openfaas-fn']);
  });

  promise('scaling sets the wanted replicas, to none as well', async ({ provider, spec }) => {
    await provider.deploy(spec(hello));
    for (const replicas of [2, 0, 1]) {
      await provider.scale(hello, replicas);
      assert.equal((await provider.get(hello))?.replicas, replicas);
    }
  });

  promise('a watch tells every function, then that this was all', async ({ provider, spec }, t) => {
    await provider.deploy(spec(hello));
    await provider.deploy(spec(elsewhere));
    const record = recorded(provider, t);
    await record.next((event) => event.kind === 'synced');
    const synced = record.events.findIndex((event) => event.kind === 'synced');
    // Twice is allowed: a replica may become ready meanwhile.
    const told = new Set(record.events.slice(0, synced).map((event) => (event.kind === 'changed' ? functionKey(event.state.spec) : event.kind)));
    assert.deepEqual([...told].sort((a, b) => a.localeCompare(b)), ['hello.openfaas-fn', 'hello.staging']);
    const last = record.events[synced];
    assert.deepEqual(last?.kind === 'synced' && last.refs.map(functionKey).sort(), ['hello.openfaas-fn', 'hello.staging']);
  });

  promise('a watch of nothing says so', async ({ provider }, t) => {
    const record = recorded(provider, t);
    assert.deepEqual(await record.next(() => true), { kind: 'synced', refs: [] });
  });

  promise('a watch tells each change after it happened, in order', async ({ provider, spec }, t) => {
    const record = recorded(provider, t);
    await record.next((event) => event.kind === 'synced');
    await provider.deploy(spec(hello));
    await record.next(changed(hello));
    await provider.update({ ...spec(hello), envVars: { version: '2' } });
    await record.next((event) => changed(hello)(event) && event.kind === 'changed' && event.state.spec.envVars['version'] === '2');
    await provider.scale(hello, 3);
    await record.next((event) => changed(hello)(event) && event.kind === 'changed' && event.state.replicas === 3);
    await provider.remove(hello);
    await record.next(removed(hello));
    const afterRemoval = record.events.length;
    await provider.deploy(spec(other));
    await record.next(changed(other), afterRemoval);
    assert.equal(record.events.slice(afterRemoval).some(changed(hello)), false, 'a removed function was told as changed');
  });

  promise('each watch is told everything, and nothing once it has ended', async ({ provider, spec }, t) => {
    const first = recorded(provider, t);
    const second = recorded(provider, t);
    await first.next((event) => event.kind === 'synced');
    await second.next((event) => event.kind === 'synced');
    first.stop();
    const toldBefore = first.events.length;
    await provider.deploy(spec(hello));
    await second.next(changed(hello));
    const late = recorded(provider, t);
    await late.next((event) => event.kind === 'synced' && event.refs.length === 1);
    assert.equal(first.events.length, toldBefore);
  });

  promise('it says what it is', async ({ provider }) => {
    const info = await provider.info();
    for (const part of [info.provider, info.orchestration, info.version]) assert.notEqual(part, '');
  });

  promise('closing twice is closing once', async ({ provider }) => {
    await provider.close();
    await provider.close();
  });
}

function changed(ref: FunctionRef): (event: FunctionEvent) => boolean {
  return (event) => event.kind === 'changed' && functionKey(event.state.spec) === functionKey(ref);
}

function removed(ref: FunctionRef): (event: FunctionEvent) => boolean {
  return (event) => event.kind === 'removed' && functionKey(event.ref) === functionKey(ref);
}
