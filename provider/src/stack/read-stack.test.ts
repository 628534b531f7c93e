import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readStack } from './read-stack.js';
import { StackError } from './yaml-source.js';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-stack-'));
  await mkdir(join(folder, 'hello'));
  await writeFile(join(folder, 'one.yml'), 'environment:\n  A: from one\n  B: from one\n');
  await writeFile(join(folder, 'two.yml'), 'environment:\n  B: from two\n');
  await writeFile(join(folder, 'wrong.yml'), 'environment:\n  - A\n');
});
after(() => rm(folder, { recursive: true }));

async function read(text: string, env: Record<string, string> = {}) {
  const file = join(folder, 'stack.yml');
  await writeFile(file, text);
  return readStack(file, env);
}

const head = 'version: 1.0\nprovider:\n  name: openfaas\n  gateway: http://127.0.0.1:8080\nfunctions:\n';

test('every key of a function arrives in its specification, and what only a build needs does not', async () => {
  const [spec, ...others] = await read(`${head}  hello:
    lang: node22
    handler: ./hello
    image: \${PREFIX:-postern}/hello:latest
    fprocess: node index.js
    environment:
      DEBUG: true
      RATE: 1.50
      EMPTY:
    environment_file: [one.yml, two.yml]
    secrets: [db-password]
    constraints:
      - "node.role == worker"
    labels:
      com.openfaas.scale.min: 2
    annotations: { topic: "a, b" }
    limits: { memory: 64Mi, cpu: 250m }
    requests:
      memory: 32Mi
    readonly_root_filesystem: true
    namespace: staging
    skip_build: yes
    build_options: [dev]
    build_args: { A: b }
    build_secrets: { npmrc: ./.npmrc }
    platforms: linux/amd64,linux/arm64
`);
  assert.deepEqual(others, []);
  assert.deepEqual(spec, {
    name: 'hello', namespace: 'staging', image: 'postern/hello:latest', envProcess: 'node index.js',
    envVars: { DEBUG: 'true', RATE: '1.50', EMPTY: '', A: 'from one', B: 'from two' },
    constraints: ['node.role == worker'], secrets: ['db-password'], labels: { 'com.openfaas.scale.min': '2' },
    annotations: { topic: 'a, b', 'postern.lang': 'node22', 'postern.handler': join(folder, 'hello') },
    limits: { memory: '64Mi', cpu: '250m' }, requests: { memory: '32Mi' }, readOnlyRootFilesystem: true,
  });
});

test('functions keep the order of the file', async () => {
  const specs = await read(`${head}  zebra: { image: z }\n  ant: { image: a }\n  mole: { image: m }\n`);
  assert.deepEqual(specs.map(({ name }) => name), ['zebra', 'ant', 'mole']);
});

test('a handler without an image is enough, and a language nobody here knows is for the provider to judge', async () => {
  const [spec] = await read(`${head}  hello:\n    lang: cobol\n    handler: hello\n`);
  assert.equal(spec?.annotations['postern.lang'], 'cobol');
  assert.equal(spec?.image, '');
});

test('anchors, merges and x- keys serve as in compose files', async () => {
  const [a, b] = await read(`x-common: &common\n  image: shared\n  labels: { team: red }\n${head}  a:\n    <<: *common\n  b: *common\n`);
  assert.deepEqual([a?.image, a?.labels, b?.labels], ['shared', { team: 'red' }, { team: 'red' }]);
});

for (const [title, text, place] of [
  ['a mistyped key', `${head}  hello:\n    hander: ./hello\n`, '7:5: functions.hello: unknown key "hander" (did you mean "handler"?)'],
  ['a key unlike any other', `${head}  hello:\n    image: x\n    volumes: []\n`, '8:5: functions.hello: unknown key "volumes"'],
  ['a mistyped key at the top', `${head}  hello:\n    image: x\nfunction:\n`, '8:1: unknown key "function" (did you mean "functions"?)'],
  ['a list where a mapping belongs', `${head}  hello:\n    image: x\n    labels:\n      - a\n`, '9:7: functions.hello.labels: expected a mapping, found a list'],
  ['a mapping where text belongs', `${head}  hello:\n    image: { a: b }\n`, '7:12: functions.hello.image: expected text, found a mapping'],
  ['text where a list belongs', `${head}  hello:\n    image: x\n    secrets: db\n`, '8:14: functions.hello.secrets: expected a list, found "db"'],
  ['a nested value', `${head}  hello:\n    image: x\n    environment:\n      A: [1]\n`, '9:10: functions.hello.environment.A: expected text, found a list'],
  ['a word that is no flag', `${head}  hello:\n    image: x\n    skip_build: maybe\n`, '8:17: functions.hello.skip_build: expected true or false'],
  ['a bad name', `${head}  Hello_World:\n    image: x\n`, '6:3: "Hello_World" is no function name: expected 1 to 63 of a-z, 0-9 and -, with no - at either end'],
  ['the same function twice', `${head}  a:\n    image: x\n  a:\n    image: y\n`, '8:3: this key stands here twice'],
  ['nothing to run', `${head}  hello:\n    labels: {}\n`, '6:3: functions.hello: nothing to run: expected an image, a program (fprocess) or a handler'],
  ['a handler that is not there', `${head}  hello:\n    lang: node\n    handler: ./gone\n`, '8:14: functions.hello.handler: ./gone does not exist (looked for FOLDER/gone)'],
  ['a wrong label', `${head}  hello:\n    image: x\n    labels:\n      com.openfaas.scale.min: few\n`,
    '9:31: functions.hello.labels.com.openfaas.scale.min: "few": expected a whole number from 0 to 1000'],
  ['a wrong amount', `${head}  hello:\n    image: x\n    limits: { memory: 1x }\n`, '8:23: functions.hello.limits.memory: "1x": expected an amount such as 128Mi or 1Gi'],
  ['a secret that leads out of its folder', `${head}  hello:\n    image: x\n    secrets: [a, ../b]\n`,
    '8:18: functions.hello.secrets: "../b" is no secret name: expected letters, digits, - _ and .'],
  ['another provider', 'provider:\n  name: lambda\nfunctions: {}\n', '2:9: provider.name: expected openfaas, the only provider there is'],
  ['another version', `version: 2.0\n${head.slice(13)}  a: {image: x}\n`, '1:10: version: expected 1.0, the only version there is'],
  ['no provider', 'functions:\n  a:\n    image: x\n', '1:1: provider: is missing'],
  ['no functions at all', 'provider:\n  name: openfaas\n', '1:1: functions: is missing'],
  ['an empty list of functions', 'provider:\n  name: openfaas\nfunctions: {}\n', '3:12: no functions: expected at least one under "functions"'],
  ['an empty file', '', '1:1: expected a mapping with "provider" and "functions"'],
  ['something else altogether', '- a\n- b\n', '1:1: expected a mapping with "provider" and "functions"'],
  ['broken substitution', `${head}  hello:\n    image: "\${TAG"\n`, '7:13: bad substitution "${TAG\\"": expected "}"'],
  ['an alias to nothing', `${head}  a: *gone\n`, '6:6: no anchor &gone stands before this'],
  ['an environment file that is not there', `${head}  hello:\n    image: x\n    environment_file:\n      - gone.yml\n`,
    '9:9: functions.hello.environment_file: gone.yml: no such file'],
] as const) {
  test(`${title} is told by line and column`, async () => {
    await assert.rejects(read(text), (error: Error) => {
      assert.ok(error instanceof StackError);
      assert.equal(error.message, `${join(folder, 'stack.yml')}:${place.replace('FOLDER', folder)}`);
      return true;
    });
  });
}

test('columns are those of the file as written, though a substitution before them was longer', async () => {
  await assert.rejects(read(`${head}  a: { image: "\${LONG}", bad: x }\n`, { LONG: 'x'.repeat(50) }), /:6:26: functions\.a: unknown key "bad"/);
});

test('a mistake in an environment file is told in that file', async () => {
  await assert.rejects(read(`${head}  hello:\n    image: x\n    environment_file: [wrong.yml]\n`), { message: 'wrong.yml:2:3: environment: expected a mapping, found a list' });
});

test('broken YAML is one line', async () => {
  await assert.rejects(read(`${head}  hello:\n    image: "x\n`), (error: Error) => error instanceof StackError && /^[^\n]*stack\.yml:\d+:\d+: [^\n]+$/.test(error.message));
});

test('a missing file is named', async () => {
  await assert.rejects(readStack('nowhere/stack.yml', {}), { message: 'nowhere/stack.yml: no such file' });
});
