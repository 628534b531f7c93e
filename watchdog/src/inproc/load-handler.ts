/**
 * Finds a handler's file and imports it into this process: ES modules, CommonJS, TypeScript as it is.
 * Not here: what the export must look like (the adapters).
 */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { locateLoadError } from './load-error.js';

const extensions = ['js', 'mjs', 'cjs', 'ts', 'mts', 'cts'];
const names = ['handler', 'index'].flatMap((base) => extensions.map((extension) => `${base}.${extension}`));

/** The handler cannot be loaded. The message is one line: file, line where known, what was wrong. */
export class HandlerUnloadable extends Error {
  override readonly name = 'HandlerUnloadable';
}

export interface LoadedHandler {
  /** Absolute. */
  readonly file: string;
  /** The default export, or `module.exports`. */
  readonly exported: unknown;
}

/**
 * @param location absolute path of the handler's file or folder
 * @throws {HandlerUnloadable}
 */
export async function loadHandler(location: string): Promise<LoadedHandler> {
  const file = await findHandler(location);
  try {
    if (/\.[cm]?ts$/.test(file)) await understandTypeScript();
    const module: unknown = await import(pathToFileURL(file).href);
    return { file, exported: defaultExport(module) };
  } catch (error) {
    throw new HandlerUnloadable(await locateLoadError(file, error), { cause: error });
  }
}

async function findHandler(location: string): Promise<string> {
  const found = await stat(location).catch(() => undefined);
  if (found === undefined) throw new HandlerUnloadable(`${location}: no such file or folder`);
  if (found.isFile()) return location;
  // A `main` that names no file is what `npm init` leaves behind: the usual names still hold.
  for (const name of [...await mainOf(location), ...names]) {
    const file = path.join(location, name);
    if ((await stat(file).catch(() => undefined))?.isFile() === true) return file;
  }
  throw new HandlerUnloadable(
    `${location}: no handler found; expected package.json's main, or handler.js, handler.ts, index.js (also .mjs, .cjs, .mts, .cts)`);
}

async function mainOf(folder: string): Promise<string[]> {
  const file = path.join(folder, 'package.json');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return [];
  try {
    const manifest: unknown = JSON.parse(text);
    const main = typeof manifest === 'object' && manifest !== null && 'main' in manifest ? manifest.main : undefined;
    return typeof main === 'string' ? [main, ...extensions.map((extension) => `${main}.${extension}`)] : [];
  } catch (error) {
    throw new HandlerUnloadable(`${file}: ${error instanceof Error ? error.message : 'not JSON'}`, { cause: error });
  }
}

/**
 * Node's own type stripping (22.18 and later) refuses enums and imports of `./x.js` that mean `./x.ts`;
 * tsx reads what the compiler reads, alike on every Node. Both doors, because a file without
 * `"type": "module"` near it is loaded as CommonJS.
 */
async function understandTypeScript(): Promise<void> {
  const [esm, cjs] = await Promise.all([import('tsx/esm/api'), import('tsx/cjs/api')]);
  cjs.register();
  esm.register();
}

/** Compilers that write CommonJS leave the default export one level deeper. */
function defaultExport(module: unknown): unknown {
  if (typeof module !== 'object' || module === null || !('default' in module)) return undefined;
  const exported = module.default;
  const compiled = typeof exported === 'object' && exported !== null && '__esModule' in exported;
  return compiled && 'default' in exported ? exported.default : exported;
}
