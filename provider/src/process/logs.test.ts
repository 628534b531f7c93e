import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { LogLine, LogQuery } from '../provider.js';
import { FunctionLog } from './function-log.js';
import { LineSplitter } from './lines.js';
import { LogFile } from './log-file.js';
import { readLog } from './log-reader.js';
import { ask, openProvider, program, ready, stateOf, temporaryFolder } from './testing/open-provider.js';

const ref = { name: 'hello', namespace: 'fn' };
const kept: LogQuery = { ...ref, follow: false, signal: new AbortController().signal };

async function texts(lines: AsyncIterable<LogLine>): Promise<string[]> {
  const all: string[] = [];
  for await (const { text } of lines) all.push(text);
  return all;
}

async function openLog(t: TestContext, maxBytes = 2 ** 20): Promise<{ folder: string; log: FunctionLog }> {
  const folder = await temporaryFolder(t);
  return { folder, log: new FunctionLog(folder, { maxBytes, onError: (error) => { throw error; } }) };
}

test('lines come out as they went in, however they were cut on the way', () => {
  fc.assert(fc.property(fc.array(fc.string().filter((line) => !/[\r\n]/.test(line))), fc.array(fc.nat(20)), (lines, cuts) => {
    const splitter = new LineSplitter();
    let rest = lines.map((line) => `${line}\n`).join('');
    const got: string[] = [];
    for (const size of cuts) {
      got.push(...splitter.push(rest.slice(0, size)));
      rest = rest.slice(size);
    }
    assert.deepEqual([...got, ...splitter.push(rest), ...splitter.end()], lines);
  }));
});

test('a line without end is cut, not kept in memory', () => {
  const splitter = new LineSplitter();
  assert.deepEqual(splitter.push('x'.repeat(200_000)).map(({ length }) => length), [65_536, 65_536, 65_536]);
  assert.deepEqual(splitter.push('\n').map(({ length }) => length), [200_000 - 3 * 65_536]);
});

test('a log file stays within its bound, and the newest lines are those kept', async (t) => {
  const path = join(await temporaryFolder(t), 'deep/er/a.log');
  const file = new LogFile(path, { maxBytes: 10_000, onError: (error) => { throw error; } });
  for (let i = 0; i < 5_000; i++) {
    file.append('2026-01-31T12:00:00.000Z', [`line ${i}`]);
    if (i % 10 === 0) file.flush();
  }
  file.close();
  const sizes = await Promise.all([path, `${path}.1`].map(async (each) => (await stat(each).catch(() => ({ size: 0 }))).size));
  assert.ok(sizes.every((size) => size <= 11_000), `sizes ${sizes.join(' ')}`);
  const last = (await readFile(path, 'utf8').catch(() => '')) || await readFile(`${path}.1`, 'utf8');
  assert.match(last, /line 4999\n$/);
});

test('an instance that is no replica of the function\'s own has no log, whatever path its name spells', async (t) => {
  const outside = await temporaryFolder(t);
  await mkdir(join(outside, 'fn'));
  await writeFile(join(outside, 'private.log'), '2026-01-31T12:00:00.000Z for nobody\n');
  const log = new FunctionLog(join(outside, 'fn'), { maxBytes: 100, onError: (error) => { throw error; } });
  assert.deepEqual(await texts(readLog(log, { ...kept, instance: '../private' })), []);
});

test('a log that cannot be written loses lines and tells, and nothing else happens', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'file'), '');
  const errors: unknown[] = [];
  const file = new LogFile(join(folder, 'file/a.log'), { maxBytes: 100, onError: (error) => errors.push(error) });
  file.append('2026-01-31T12:00:00.000Z', ['lost']);
  file.close();
  assert.equal(errors.length, 1);
});

test('replicas\' lines are merged by time, across rotated files; tail, since and instance choose among them', async (t) => {
  const { folder, log } = await openLog(t);
  const at = (second: number, text: string): string => `2026-01-31T12:00:0${second}.000Z ${text}\n`;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'a.log.1'), at(1, 'a1') + at(3, 'a3'));
  await writeFile(join(folder, 'a.log'), at(5, 'a5'));
  await writeFile(join(folder, 'b.log'), at(2, 'b2') + at(4, 'b4 with spaces'));
  assert.deepEqual(await texts(readLog(log, kept)), ['a1', 'b2', 'a3', 'b4 with spaces', 'a5']);
  assert.deepEqual(await texts(readLog(log, { ...kept, tail: 2 })), ['b4 with spaces', 'a5']);
  assert.deepEqual(await texts(readLog(log, { ...kept, tail: 0 })), []);
  assert.deepEqual(await texts(readLog(log, { ...kept, instance: 'a' })), ['a1', 'a3', 'a5']);
  assert.deepEqual(await texts(readLog(log, { ...kept, instance: '../a' })), []);
  assert.deepEqual(await texts(readLog(log, { ...kept, since: new Date('2026-01-31T12:00:04Z') })), ['b4 with spaces', 'a5']);
  for await (const line of readLog(log, { ...kept, tail: 1 })) assert.deepEqual(line, { ...ref, instance: 'a', timestamp: '2026-01-31T12:00:05.000Z', text: 'a5' });
});

test('the last lines are the end of all lines, however many are asked for and however long they are', async (t) => {
  const { folder, log } = await openLog(t);
  const lines = Array.from({ length: 300 }, (_, i) => `é${i} ${'x'.repeat((i * 37) % 2_000)}`);
  const text = (part: readonly string[]): string => part.map((line) => `2026-01-31T12:00:00.000Z ${line}\n`).join('');
  await writeFile(join(folder, 'a.log.1'), text(lines.slice(0, 150)));
  await writeFile(join(folder, 'a.log'), text(lines.slice(150)));
  for (const tail of [1, 2, 149, 150, 151, 299, 300, 301]) assert.deepEqual(await texts(readLog(log, { ...kept, tail })), lines.slice(-tail));
});

test('a follow tells what is kept and what comes, each line once and in order, through rotations, and ends by its signal', async (t) => {
  const { log } = await openLog(t, 2_000);
  const replica = log.openReplica('r');
  t.after(() => replica.close());
  const written = Array.from({ length: 60 }, (_, i) => `line ${i}`);
  for (const line of written.slice(0, 30)) replica.append([line]);
  const stop = new AbortController();
  const got: string[] = [];
  let next = 30;
  for await (const { text } of readLog(log, { ...kept, follow: true, signal: stop.signal })) {
    got.push(text);
    const line = written[next++];
    if (line !== undefined) replica.append([line]);
    if (text === written.at(-1)) stop.abort();
  }
  assert.deepEqual(got, written);
});

test('a reader too slow to follow is told what it missed', async (t) => {
  const { log } = await openLog(t);
  const replica = log.openReplica('r');
  t.after(() => replica.close());
  replica.append(['first']);
  const stop = new AbortController();
  const lines = readLog(log, { ...kept, follow: true, signal: stop.signal });
  assert.equal((await lines.next()).value?.text, 'first');
  for (let i = 0; i < 25_000; i++) replica.append([String(i)]);
  assert.match((await lines.next()).value?.text, /^\[\d+ lines left out: read too slowly\]$/);
  stop.abort();
  assert.equal((await texts(lines)).at(-1), '24999');
});

test('of replicas that ended only the newest few logs are kept', async (t) => {
  const { folder, log } = await openLog(t);
  for (let i = 0; i < 15; i++) {
    const replica = log.openReplica(`r${i}`);
    replica.append(['x']);
    replica.close();
  }
  assert.equal((await readdir(folder)).length, 11);
});

test('what a function writes is in its logs, live and later, after it was scaled to zero and after a restart', async (t) => {
  const folder = await temporaryFolder(t);
  const provider = await openProvider(folder);
  await provider.deploy(program('hello'));
  const state = await stateOf(provider, 'hello', ready);
  const stop = new AbortController();
  const followed = (async () => {
    for await (const line of await provider.logs({ ...ref, follow: true, signal: stop.signal })) {
      if (line.text === 'said live') return line;
    }
    return undefined;
  })();
  await ask(state, '/say?text=said+live');
  const line = await followed;
  stop.abort();
  assert.deepEqual([line?.name, line?.namespace, line?.instance], ['hello', 'fn', state.endpoints[0]?.replica]);
  assert.match(line?.timestamp ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
  await provider.scale(ref, 0);
  await stateOf(provider, 'hello', ({ endpoints }) => endpoints.length === 0);
  assert.deepEqual(await texts(await provider.logs(kept)), ['said live']);
  await provider.close();
  const again = await openProvider(folder);
  assert.deepEqual(await texts(await again.logs(kept)), ['said live']);
});

test('a follow ends when its function is removed, and when the provider closes', async (t) => {
  const provider = await openProvider(await temporaryFolder(t));
  for (const name of ['one', 'two']) await provider.deploy(program(name, { labels: { 'com.openfaas.scale.min': '0' } }));
  const follow = async (name: string): Promise<string[]> => (
    texts(await provider.logs({ name, namespace: 'fn', follow: true, signal: new AbortController().signal })));
  const [one, two] = [follow('one'), follow('two')];
  await provider.remove({ name: 'one', namespace: 'fn' });
  assert.deepEqual(await one, []);
  await provider.close();
  assert.deepEqual(await two, []);
});
