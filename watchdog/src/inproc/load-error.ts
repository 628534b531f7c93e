/**
 * Says in one line why a handler did not load: file, line where known, what was wrong.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** `file:///a/b.js:3`, `/a/b.js:3:5`: a place outside Node's own code and outside packages. */
const place = /(?:^|[\s(]|file:\/\/)(\/[^\s():]+):(\d+)/g;

/** @param file the handler's file, named when nothing better is known */
export async function locateLoadError(file: string, error: unknown): Promise<string> {
  if (!(error instanceof Error)) return `${file}: threw ${String(error)} while loading`;
  const what = `${error.name}: ${firstTellingLine(error.message)}`;
  const where = findPlace(error.message) ?? findPlace(error.stack ?? '')
    // An ES module's syntax error does not say where it is; a Node that dies of it does.
    ?? (error instanceof SyntaxError ? findPlace(await dyingWords(file)) : undefined);
  return `${where ?? file}: ${what}${hint(error)}`;
}

function findPlace(text: string): string | undefined {
  for (const [, file, line] of text.matchAll(place)) {
    if (file !== undefined && !file.includes('/node_modules/') && !file.startsWith(ownFolder)) return `${file}:${line}`;
  }
  return undefined;
}

const ownFolder = fileURLToPath(new URL('..', import.meta.url));

function firstTellingLine(message: string): string {
  const lines = message.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  // esbuild's "Transform failed with 1 error:" is followed by what it was.
  const told = message.startsWith('Transform failed') ? lines[1] ?? lines[0] : lines[0];
  return (told ?? 'no message').replace(/^\S+:\d+:\d+: ERROR: /, '');
}

function hint(error: Error): string {
  const code = 'code' in error ? error.code : undefined;
  const missing = code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND';
  return missing && /Cannot find (package|module) '[^./]/.test(error.message) ? ' (is it in package.json and installed?)' : '';
}

function dyingWords(file: string): Promise<string> {
  const script = `import(${JSON.stringify(pathToFileURL(file).href)})`;
  return new Promise((resolve) => {
    execFile(process.execPath, ['--input-type=module', '--eval', script], { timeout: 5_000, killSignal: 'SIGKILL' },
      (_error, _stdout, stderr) => resolve(stderr));
  });
}
