import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDuration } from './duration.js';
import { readSettings, SettingsError } from './settings.js';

test('fprocess alone is streaming mode with the defaults of of-watchdog', () => {
  const settings = readSettings({ fprocess: 'cat -n' });
  assert.equal(settings.mode, 'streaming');
  assert.deepEqual(settings.command, ['cat', '-n']);
  assert.deepEqual(
    [settings.port, settings.metricsPort, settings.host, settings.maxInflight, settings.contentType, settings.maxLogLineBytes],
    [8080, 8081, '127.0.0.1', 0, 'application/octet-stream', 65_536],
  );
  assert.deepEqual([settings.readTimeoutMs, settings.writeTimeoutMs, settings.execTimeoutMs], [30_000, 30_000, 30_000]);
});

for (const [env, expected] of [
  [{}, /^fprocess is not set: expected the program to run, with its arguments \(mode is streaming\)$/],
  [{ fprocess: `sh -c 'open` }, /^fprocess=sh -c 'open: expected a closing '$/],
  [{ mode: 'afterburn', fprocess: 'cat' }, /^mode=afterburn: expected one of http, streaming/],
  [{ fprocess: 'cat', port: 'http' }, /^port=http: expected a whole number from 0 to 65535$/],
  [{ fprocess: 'cat', port: '65536' }, /^port=65536: /],
  [{ fprocess: 'cat', max_inflight: '-1' }, /^max_inflight=-1: expected a whole number of at least 0$/],
  [{ fprocess: 'cat', exec_timeout: 'soon' }, /^exec_timeout=soon: expected a duration such as 30s/],
  [{ fprocess: 'cat', read_timeout: '-5s' }, /^read_timeout=-5s: /],
  [{ fprocess: 'cat', prefix_logs: 'yes' }, /^prefix_logs=yes: expected true or false$/],
  [{ fprocess: 'cat', log_buffer_size: '0' }, /^log_buffer_size=0: expected a whole number of at least 1, or -1 for no limit$/],
  [{ fprocess: 'cat', ready_path: 'ready' }, /^ready_path=ready: expected a path that starts with \/$/],
  [{ fprocess: 'cat', mode: 'http', upstream_url: '127.0.0.1:3000' }, /^upstream_url=127.0.0.1:3000: expected an absolute http/],
  [{ mode: 'inproc' }, /^lang is not set: expected one of node, web/],
  [{ lang: 'cobol', handler: '/f' }, /^lang=cobol: expected one of node, web, node18/],
  [{ lang: 'node', mode: 'http', handler: '/f' }, /^mode=http: expected inproc, or unset \(lang is node\)$/],
  [{ lang: 'python3-http', mode: 'inproc', handler: '/f' }, /^mode=inproc: expected http, or unset/],
  [{ lang: 'node' }, /^handler is not set: expected the absolute path/],
  [{ lang: 'node', handler: 'here' }, /^handler=here: expected the absolute path/],
] as const) {
  test(`${JSON.stringify(env)} is refused in one line that names variable, value and what was expected`, () => {
    assert.throws(() => readSettings(env), (error) => error instanceof SettingsError && expected.test(error.message) && !error.message.includes('\n'));
  });
}

test('of two names for a setting both are read', () => {
  assert.deepEqual(readSettings({ function_process: 'wc' }).command, ['wc']);
  assert.equal(readSettings({ fprocess: 'a', mode: 'http', http_upstream_url: 'http://127.0.0.1:1/x' }).upstreamUrl?.href, 'http://127.0.0.1:1/x');
  assert.equal(readSettings({ fprocess: 'a', http_buffer_req_body: 'true' }).bufferBody, true);
  assert.equal(readSettings({ fprocess: 'a', buffer_http: 'true' }).bufferBody, true);
  for (const name of ['log_callid', 'log_call_id']) assert.equal(readSettings({ fprocess: 'a', [name]: '1' }).logCallId, true);
});

test('a handler of lang python3-http runs in http mode by the watchdog\'s own runner; others in the process itself', () => {
  const python = readSettings({ lang: 'python3-http', handler: '/f' });
  assert.equal(python.mode, 'http');
  assert.match(python.command.join(' '), /^python3 \/.*\/runtimes\/python3-http\/index\.py$/);
  const web = readSettings({ lang: 'web', handler: '/f' });
  assert.deepEqual([web.mode, web.lang, web.handler], ['inproc', 'web', '/f']);
});

test('without an upstream_url, or with port 0 in it, the watchdog picks the port', () => {
  assert.equal(readSettings({ mode: 'http', fprocess: 'a' }).upstreamUrl, undefined);
  assert.equal(readSettings({ mode: 'http', fprocess: 'a', upstream_url: 'http://127.0.0.1:0' }).upstreamUrl, undefined);
});

for (const [text, ms] of [
  ['30s', 30_000], ['30', 30_000], ['1m30s', 90_000], ['500ms', 500], ['1.5h', 5_400_000], ['0', 0], ['0s', 0],
  ['', undefined], ['s', undefined], ['-1s', undefined], ['5 s', undefined], ['1d', undefined], ['5s!', undefined], ['1.5', undefined],
] as const) {
  test(`"${text}" is ${ms === undefined ? 'no duration' : `${ms} ms`}`, () => {
    assert.equal(parseDuration(text), ms);
  });
}

test('a duration is undefined or a number of at least 0, whatever the text', () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom('1', '9', '.', 'm', 's', 'h', 'n', '-') }), (text) => {
    const ms = parseDuration(text);
    assert.ok(ms === undefined || ms >= 0, text);
  }));
});
