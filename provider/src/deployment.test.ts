import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { functionStatus, parseFunctionSpec } from './deployment.js';
import { InvalidFunction } from './errors.js';

const minimal = { service: 'hello', image: 'hello:latest' };

test('a minimal deployment gets its defaults', () => {
  assert.deepEqual(parseFunctionSpec(minimal, 'openfaas-fn'), {
    name: 'hello', namespace: 'openfaas-fn', image: 'hello:latest', envProcess: '', envVars: {}, constraints: [], secrets: [],
    labels: {}, annotations: {}, limits: {}, requests: {}, readOnlyRootFilesystem: false,
  });
});

test('null stands for empty and unknown keys are ignored, as Go reads them', () => {
  const spec = parseFunctionSpec({
    ...minimal, labels: null, annotations: null, envVars: null, secrets: null, limits: null, namespace: null, network: 'x', registryAuth: 1,
    requests: { memory: '64Mi', cpu: null, 'nvidia.com/gpu': '1' },
  }, 'fn');
  assert.deepEqual([spec.labels, spec.limits, spec.requests, spec.namespace], [{}, {}, { memory: '64Mi' }, 'fn']);
});

for (const [json, message] of [
  [null, 'expected a JSON object that describes a function'],
  [[], 'expected a JSON object that describes a function'],
  [{ image: 'x' }, 'service: is missing'],
  [{ ...minimal, service: 7 }, 'service: expected text, found the number 7'],
  [{ ...minimal, envVars: { a: 1 } }, 'envVars.a: expected text, found the number 1'],
  [{ ...minimal, secrets: 'db' }, 'secrets: expected a list, found "db"'],
  [{ ...minimal, labels: ['a'] }, 'labels: expected a mapping, found a list'],
  [{ ...minimal, readOnlyRootFilesystem: 'yes' }, 'readOnlyRootFilesystem: expected true or false, found "yes"'],
  [{ ...minimal, service: 'Hello' }, 'service: "Hello" is no function name: expected 1 to 63 of a-z, 0-9 and -, with no - at either end'],
  [{ ...minimal, service: 'a'.repeat(64) }, `service: "${'a'.repeat(64)}" is no function name: expected 1 to 63 of a-z, 0-9 and -, with no - at either end`],
  [{ ...minimal, service: '3f1c9c9e-0000-4000-8000-000000000000' },
    'service: "3f1c9c9e-0000-4000-8000-000000000000" is shaped like a call id (a UUID): choose another name'],
  [{ ...minimal, namespace: '../x' }, 'namespace: "../x" is no namespace: expected 1 to 63 of a-z, 0-9 and -'],
  [{ service: 'x' }, 'image: nothing to run: expected an image, a program (fprocess) or a handler'],
  [{ ...minimal, secrets: ['../key'] }, 'secrets.../key: "../key" is no secret name: expected letters, digits, - _ and .'],
  [{ ...minimal, labels: { 'com.openfaas.scale.min': 'two' } }, 'labels.com.openfaas.scale.min: "two": expected a whole number from 0 to 1000'],
  [{ ...minimal, labels: { 'com.openfaas.scale.min': '100000000' } }, 'labels.com.openfaas.scale.min: "100000000": expected a whole number from 0 to 1000'],
  [{ ...minimal, labels: { 'com.openfaas.scale.min': '9', 'com.openfaas.scale.max': '3' } },
    'labels.com.openfaas.scale.min: 9 is more than com.openfaas.scale.max (3)'],
  [{ ...minimal, annotations: { 'com.openfaas.queue': 'a.b' } }, 'annotations.com.openfaas.queue: "a.b": expected 1 to 63 of a-z, 0-9, - and _'],
  [{ ...minimal, limits: { memory: 'lots' } }, 'limits.memory: "lots": expected an amount such as 128Mi or 1Gi'],
  [{ ...minimal, limits: { cpu: '0' } }, 'limits.cpu: "0": expected an amount such as 250m or 1.5'],
] as const) {
  test(`refused by name: ${message}`, () => {
    assert.throws(() => parseFunctionSpec(json, 'fn'), (error) => error instanceof InvalidFunction && error.message === message);
  });
}

test('no JSON value makes the parser throw anything but InvalidFunction', () => {
  fc.assert(fc.property(fc.oneof(fc.jsonValue(), fc.record({ service: fc.jsonValue(), labels: fc.jsonValue(), envVars: fc.jsonValue() })), (json) => {
    try {
      parseFunctionSpec(json, 'fn');
    } catch (error) {
      assert.ok(error instanceof InvalidFunction);
    }
  }));
});

test('a status leaves out what is empty or 0, but never the name, the image and the date', () => {
  const spec = parseFunctionSpec(minimal, 'fn');
  const createdAt = '2026-11-25T00:00:00Z';
  assert.deepEqual(functionStatus({ spec, replicas: 0, endpoints: [], createdAt }), { name: 'hello', image: 'hello:latest', namespace: 'fn', createdAt });
});

test('a status is read back as the deployment it came from', () => {
  const map = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.string().filter((value) => !value.includes('\0')));
  fc.assert(fc.property(map, map, fc.boolean(), (envVars, labels, readOnlyRootFilesystem) => {
    const spec = parseFunctionSpec({ ...minimal, envVars, labels, readOnlyRootFilesystem, limits: { memory: '1Gi' } }, 'fn');
    const { name, ...status } = functionStatus({ spec, replicas: 2, endpoints: [{ replica: 'a', url: 'http://127.0.0.1:1' }], createdAt: '2026-11-25T00:00:00Z' });
    assert.equal(status.replicas, 2);
    assert.equal(status.availableReplicas, 1);
    assert.deepEqual(parseFunctionSpec({ ...status, service: name }, 'other'), spec);
  }));
});
