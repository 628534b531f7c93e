/**
 * One process owns a queue's folder. The owner listens on a Unix socket in it: a connection that is accepted means
 * "owned, by this pid"; one that is refused means its owner is dead, for the kernel closes sockets even on kill -9.
 *
 * The socket is bound under a name of its own and linked to `owner.sock`, which only one process can do at a time.
 * A stale `owner.sock` is first renamed and its inode compared, so that of two processes that find it at once neither
 * takes away the other's fresh one.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, linkSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { QueueMisconfigured } from '../errors.js';

/** The kernel's limit is 108 bytes, 104 on some systems. */
const maxSocketPath = 100;
const answerMs = 1_000;

export interface OwnerLock {
  release(): Promise<void>;
}

/**
 * @param folder - exists
 * @throws {QueueMisconfigured} another process owns it, or it cannot hold a socket
 */
export async function lockFolder(folder: string): Promise<OwnerLock> {
  const path = join(folder, 'owner.sock');
  const own = `owner-${randomUUID()}.sock`;
  const server = createServer((socket) => {
    socket.on('error', () => { socket.destroy(); });
    socket.end(`${process.pid}\n`);
  });
  server.unref();
  try {
    await listen(server, folder, own);
    await takeName(folder, join(folder, own), path);
  } catch (error) {
    server.close();
    throw error;
  } finally {
    rmSync(join(folder, own), { force: true });
  }
  const { ino } = statSync(path);
  return {
    release: async () => {
      if (inodeOf(path) === ino) rmSync(path, { force: true });
      server.close();
      await once(server, 'close');
    },
  };
}

async function listen(server: Server, folder: string, name: string): Promise<void> {
  const short = shortPath(folder, name);
  try {
    server.listen(short.path);
    await once(server, 'listening');
  } catch (error) {
    throw new QueueMisconfigured(`The queue's folder ${folder} cannot hold its owner's socket (${reasonOf(error)}): use a local, writable folder.`, { cause: error });
  } finally {
    short.close();
  }
}

async function takeName(folder: string, own: string, path: string): Promise<void> {
  for (;;) {
    try {
      linkSync(own, path);
      return;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw new QueueMisconfigured(`The queue's folder ${folder} cannot be locked (${reasonOf(error)}): use a local, writable folder.`, { cause: error });
    }
    const found = inodeOf(path);
    if (found === undefined) continue;
    const owner = await askOwner(folder);
    if (owner !== undefined) {
      throw new QueueMisconfigured(`The queue's folder ${folder} is in use by the process with pid ${owner}: stop that one, or choose another DATA_DIR.`);
    }
    putAside(folder, path, found);
  }
}

/** Removes the stale socket, unless another process has put its own there meanwhile. */
function putAside(folder: string, path: string, stale: number): void {
  const aside = join(folder, `owner-${randomUUID()}.old`);
  try {
    renameSync(path, aside);
    if (inodeOf(aside) !== stale) linkSync(aside, path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

/** @returns the owner's pid as text, `unknown` when it is too busy to answer; `undefined` when it is dead */
async function askOwner(folder: string): Promise<string | undefined> {
  const short = shortPath(folder, 'owner.sock');
  const socket = connect(short.path);
  let answer = '';
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => { answer += text; });
  const giveUp = new AbortController();
  try {
    await once(socket, 'connect');
    await Promise.race([once(socket, 'close'), wait(answerMs, undefined, { signal: giveUp.signal, ref: false })]);
    return answer.trim() || 'unknown';
  } catch (error) {
    if (codeOf(error) === 'ECONNREFUSED' || codeOf(error) === 'ENOENT') return undefined;
    // ENOTSOCK, EACCES … : something is there that is not ours to remove.
    throw new QueueMisconfigured(`The queue's folder ${folder} has an owner.sock that cannot be asked (${reasonOf(error)}): remove it if no process uses the folder.`, { cause: error });
  } finally {
    giveUp.abort();
    socket.destroy();
    short.close();
  }
}

/** A path short enough for a socket address: on Linux a long folder is reached through an open descriptor. */
function shortPath(folder: string, name: string): { readonly path: string; close(): void } {
  const path = join(folder, name);
  if (Buffer.byteLength(path) <= maxSocketPath || process.platform !== 'linux') return { path, close: () => undefined };
  const descriptor = openSync(folder, 'r');
  return { path: `/proc/self/fd/${descriptor}/${name}`, close: () => { closeSync(descriptor); } };
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
