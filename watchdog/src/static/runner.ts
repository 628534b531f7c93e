/** static mode: the files of one folder. `index.html` stands for its folder; nothing outside the folder is served, links included. */
import { constants } from 'node:fs';
import { open, realpath, stat, type FileHandle } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { answerError } from '../own-answer.js';
import { ReadinessState } from '../readiness.js';
import type { Invocation, Runner } from '../runner.js';

const contentTypes: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8', '.csv': 'text/csv; charset=utf-8', '.gif': 'image/gif', '.htm': 'text/html; charset=utf-8',
  '.html': 'text/html; charset=utf-8', '.ico': 'image/vnd.microsoft.icon', '.jpeg': 'image/jpeg', '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8', '.json': 'application/json', '.map': 'application/json', '.md': 'text/markdown; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8', '.mp4': 'video/mp4', '.pdf': 'application/pdf', '.png': 'image/png',
  '.svg': 'image/svg+xml', '.txt': 'text/plain; charset=utf-8', '.wasm': 'application/wasm', '.webm': 'video/webm',
  '.webp': 'image/webp', '.woff': 'font/woff', '.woff2': 'font/woff2', '.xml': 'text/xml; charset=utf-8',
};

/** @param folder - whose files are served */
export function createStaticRunner(folder: string): Runner {
  const readiness = new ReadinessState();
  let root = folder;
  return {
    async start() {
      root = await realpath(folder).catch(() => { throw new Error(`static_path=${folder}: no such folder`); });
      readiness.become({ ready: true });
    },
    onReadiness: readiness.onChange,
    stop: async () => undefined,
    async handle(request: IncomingMessage, response: ServerResponse, invocation: Invocation) {
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        answerError(response, 405, 'method_not_allowed', 'files answer GET only', { Allow: 'GET, HEAD' });
        return;
      }
      const file = await find(root, request.url ?? '/');
      if (file === undefined) {
        answerError(response, 404, 'not_found', 'there is no such file');
        return;
      }
      try {
        if (isUnchanged(request, file)) response.writeHead(304, lastModified(file)).end();
        else await send(file, request, response, invocation);
      } finally {
        await file.handle.close();
      }
    },
  };
}

/** One opening for size and content: what the name stands for may be exchanged in between. */
interface File {
  readonly handle: FileHandle;
  readonly path: string;
  readonly size: number;
  readonly modifiedMs: number;
}

/** Not through a link that has just been put there, and without waiting for a pipe's writer. */
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

async function find(root: string, url: string): Promise<File | undefined> {
  try {
    const asked = join(root, decodeURIComponent(url.split('?')[0] ?? '/'));
    const folder = (await stat(asked)).isDirectory();
    const path = await realpath(folder ? join(asked, 'index.html') : asked);
    if (!path.startsWith(root.endsWith(sep) ? root : root + sep)) return undefined;
    const handle = await open(path, openFlags);
    const status = await handle.stat();
    if (status.isFile()) return { handle, path, size: status.size, modifiedMs: status.mtimeMs };
    await handle.close();
    return undefined;
  } catch {
    return undefined; // not there, not readable, or no path at all
  }
}

function lastModified(file: File): { 'Last-Modified': string } {
  return { 'Last-Modified': new Date(file.modifiedMs).toUTCString() };
}

function isUnchanged(request: IncomingMessage, file: File): boolean {
  const since = Date.parse(request.headers['if-modified-since'] ?? '');
  return Math.floor(file.modifiedMs / 1_000) * 1_000 <= since;
}

async function send(file: File, request: IncomingMessage, response: ServerResponse, { signal }: Invocation): Promise<void> {
  response.writeHead(200, {
    'Content-Type': contentTypes[extname(file.path).toLowerCase()] ?? 'application/octet-stream',
    'Content-Length': file.size, ...lastModified(file),
  });
  if (request.method === 'HEAD' || file.size === 0) {
    response.end();
    return;
  }
  const content = file.handle.createReadStream({ start: 0, end: file.size - 1, autoClose: false });
  // A file that breaks off destroys the response; so does the deadline.
  await pipeline(content, (source: AsyncIterable<Buffer>) => allOf(source, file.size), response, { signal }).catch(() => response.destroy());
}

/** Passes on what comes. @throws {Error} it is less than was said: the file has become shorter */
async function* allOf(source: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const chunk of source) {
    left -= chunk.length;
    yield chunk;
  }
  if (left > 0) throw new Error(`the file ended ${left} bytes early`);
}
