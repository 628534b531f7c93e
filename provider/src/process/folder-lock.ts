/**
 * One provider owns a data folder: two would both start everything, and each remove the other's mounts. Its owner is
 * the process that `provider.lock` names by pid and start; a lock whose process is gone, however it ended, is stale.
 * The file is linked into place, which only one process can do at a time, and is never seen half-written.
 */
import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SettingsError } from '@postern/settings';
import { z } from 'zod';
import { type ProcessId, isRunning, processId } from './process-tree.js';

const lock = z.object({ pid: z.int().positive(), started: z.string() });

/**
 * @param folder - made where it is missing
 * @returns gives it back
 * @throws {SettingsError} a living process owns it, or it cannot hold a lock
 */
export function lockFolder(folder: string): () => void {
  const path = join(folder, 'provider.lock');
  const own = JSON.stringify(processId(process.pid));
  try {
    mkdirSync(folder, { recursive: true });
    claim(folder, path, own);
  } catch (error) {
    if (error instanceof SettingsError) throw error;
    throw new SettingsError(`DATA_DIR=${folder} cannot be locked (${error instanceof Error ? error.message : String(error)}): use a local, writable folder`, { cause: error });
  }
  return () => { if (textOf(path) === own) rmSync(path, { force: true }); };
}

function claim(folder: string, path: string, own: string): void {
  const prepared = `${path}.${randomUUID()}`;
  writeFileSync(prepared, own, { mode: 0o600 });
  try {
    while (!takeName(prepared, path)) {
      const found = textOf(path);
      const owner = found === undefined ? undefined : parse(found);
      if (owner && isRunning(owner)) {
        throw new SettingsError(`DATA_DIR=${folder} is in use by the provider with pid ${owner.pid}: stop that one, or set DATA_DIR to another folder`);
      }
      if (found !== undefined) putAside(path, found);
    }
  } finally {
    rmSync(prepared, { force: true });
  }
}

function takeName(prepared: string, path: string): boolean {
  try {
    linkSync(prepared, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a stale lock, and not the fresh one that another process may have put there since it was read. */
function putAside(path: string, stale: string): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
    if (textOf(aside) !== stale) takeName(aside, path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

/** @returns `undefined` for what a power cut left of one */
function parse(text: string): ProcessId | undefined {
  try {
    return lock.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
