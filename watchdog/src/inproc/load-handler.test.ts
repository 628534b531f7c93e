import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { HandlerUnloadable, loadHandler } from './load-handler.js';
import { handlerFolder, type Files } from './testing/serve-handler.js';

const good: readonly (readonly [what: string, files: Files, file: string])[] = [
  ['an ES module', { 'handler.mjs': 'export default () => 7;' }, 'handler.mjs'],
  ['CommonJS', { 'handler.cjs': 'module.exports = () => 7;' }, 'handler.cjs'],
  ['CommonJS in a .js file', { 'handler.js': 'module.exports = () => 7;' }, 'handler.js'],
  ['a module by package.json\'s type', { 'package.json': '{"type":"module"}', 'handler.js': 'export default () => 7;' }, 'handler.js'],
  ['index.js', { 'index.js': 'module.exports = () => 7;' }, 'index.js'],
  ['package.json\'s main before handler.js', { 'package.json': '{"main":"src/a.js"}', 'src/a.js': 'module.exports = () => 7;', 'handler.js': '' }, 'src/a.js'],
  ['handler.js when main names no file', { 'package.json': '{"main":"index.js"}', 'handler.js': 'module.exports = () => 7;' }, 'handler.js'],
  ['CommonJS that a compiler wrote', { 'handler.js': 'Object.defineProperty(exports, "__esModule", { value: true }); exports.default = () => 7;' }, 'handler.js'],
  ['TypeScript with an enum and a sibling', {
    'handler.ts': 'import { Seven } from "./seven.js";\nexport default (): number => Seven.value;',
    'seven.ts': 'export enum Seven { value = 7 }',
  }, 'handler.ts'],
  ['TypeScript in a module package', { 'package.json': '{"type":"module"}', 'handler.ts': 'const f = (): number => 7; export default f;' }, 'handler.ts'],
  ['TypeScript that assigns module.exports', { 'handler.cts': 'module.exports = (): number => 7;' }, 'handler.cts'],
];
for (const [what, files, file] of good) {
  test(`${what} loads as it is`, async (t) => {
    const folder = await handlerFolder(t, files);
    const loaded = await loadHandler(folder);
    assert.equal(loaded.file, path.join(folder, file));
    assert.ok(typeof loaded.exported === 'function');
    assert.equal(loaded.exported(), 7);
  });
}

test('a file is loaded as well as a folder', async (t) => {
  const folder = await handlerFolder(t, { 'mine.mjs': 'export default 7;', 'handler.mjs': '' });
  assert.equal((await loadHandler(path.join(folder, 'mine.mjs'))).exported, 7);
});

const bad: readonly (readonly [what: string, files: Files, message: RegExp])[] = [
  ['a syntax error in a module', { 'handler.mjs': 'const a = 1;\n\nconst = 3;' }, /handler\.mjs:3: SyntaxError: Unexpected token '='$/],
  ['a syntax error in what it imports', { 'handler.mjs': 'import "./deep.mjs";', 'deep.mjs': '\nconst = 3;' }, /deep\.mjs:2: SyntaxError: Unexpected token '='$/],
  ['a syntax error in CommonJS', { 'handler.js': '\nconst = 3;' }, /handler\.js:2: SyntaxError: Unexpected token '='$/],
  ['a syntax error in TypeScript', { 'handler.ts': 'const a: number = 1;\nconst = 3;' }, /handler\.ts:2: .*Expected identifier but found "="$/],
  ['an error while loading', { 'handler.js': 'module.exports = () => {};\nnull.x;' }, /handler\.js:2: TypeError: Cannot read properties of null/],
  ['a missing package', { 'handler.mjs': 'import "left-pad-of-old";' }, /handler\.mjs: Error: Cannot find package 'left-pad-of-old'.*\(is it in package\.json and installed\?\)$/],
  ['a missing package in CommonJS', { 'handler.js': '\nrequire("left-pad-of-old");' }, /handler\.js(:2)?: Error: Cannot find module 'left-pad-of-old' \(is it/],
  ['a thrown value that is no error', { 'handler.mjs': 'throw 7;' }, /handler\.mjs: threw 7 while loading$/],
  ['an empty folder', {}, /: no handler found; expected package\.json's main, or handler\.js/],
  ['an unreadable package.json', { 'package.json': '{', 'handler.js': '' }, /package\.json: /],
];
for (const [what, files, message] of bad) {
  test(`${what} is told in one line with its place`, async (t) => {
    const folder = await handlerFolder(t, files);
    await assert.rejects(loadHandler(folder), (error) => {
      assert.ok(error instanceof HandlerUnloadable);
      assert.match(error.message, message);
      assert.ok(error.message.startsWith(folder), error.message);
      assert.ok(!error.message.includes('\n'));
      return true;
    });
  });
}

test('a folder that is not there is named', async () => {
  await assert.rejects(loadHandler('/nowhere/at/all'), { message: '/nowhere/at/all: no such file or folder' });
});
