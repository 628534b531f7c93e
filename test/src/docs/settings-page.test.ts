import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { settingsPage, settingsPageFile } from './settings-page.js';

test('docs/settings.md says what the code says (npm run docs:settings writes it)', () => {
  assert.equal(readFileSync(settingsPageFile, 'utf8'), settingsPage());
});
