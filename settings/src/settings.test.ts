import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import { parseDuration } from './duration.js';
import { SettingsError, duration, flag, httpUrl, integer, list, readSettings } from './settings.js';

for (const [text, ms] of [
  ['30s', 30_000], ['2m', 120_000], ['1h30m', 5_400_000], ['500ms', 500], ['1.5s', 1_500], ['30', 30_000], ['0', 0],
  ['', undefined], ['soon', undefined], ['-1s', undefined], ['5 s', undefined], ['1d', undefined],
] as const) {
  test(`the duration "${text}" is ${ms} ms`, () => assert.equal(parseDuration(text), ms));
}

test('whole seconds survive every way of writing them', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 1e6 }), (s) => {
    assert.equal(parseDuration(`${s}s`), s * 1_000);
    assert.equal(parseDuration(String(s)), s * 1_000);
    assert.equal(parseDuration(`${Math.floor(s / 60)}m${s % 60}s`), s * 1_000);
  }));
});

test('no text makes parseDuration throw or answer anything but a number of at least 0', () => {
  fc.assert(fc.property(fc.string(), (text) => {
    const ms = parseDuration(text);
    assert.ok(ms === undefined || ms >= 0);
  }));
});

const schema = z.object({
  read_timeout: duration('60s'), basic_auth: flag(false), PORT: integer(8080, 0, 65_535), allow: list(), gateway_url: httpUrl().optional(),
});

test('unset and empty variables take their defaults', () => {
  assert.deepEqual(readSettings(schema, { PORT: '' }), { read_timeout: 60_000, basic_auth: false, PORT: 8080, allow: [] });
});

test('values are parsed to their units', () => {
  const env = { read_timeout: '90', basic_auth: 'true', PORT: '0', allow: 'a, b,', gateway_url: 'http://gw:8080/' };
  assert.deepEqual(readSettings(schema, env),
    { read_timeout: 90_000, basic_auth: true, PORT: 0, allow: ['a', 'b'], gateway_url: 'http://gw:8080' });
});

test('every wrong variable is named with its value and what was expected', () => {
  assert.throws(() => readSettings(schema, { read_timeout: 'soon', PORT: '99999', gateway_url: 'gw' }), (error: Error) => {
    assert.ok(error instanceof SettingsError);
    assert.equal(error.message, 'read_timeout=soon: expected a duration such as 30s, 2m or 500ms; '
      + 'PORT=99999: expected a whole number from 0 to 65535; gateway_url=gw: expected an absolute http:// or https:// URL');
    return true;
  });
});
