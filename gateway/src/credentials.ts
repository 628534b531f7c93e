/**
 * Who may use `/system`: the secret files when they are named, else files made on the first start that needs them.
 * A gateway that listens beyond loopback always asks.
 */
import { randomBytes } from 'node:crypto';
import { access, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Credentials, isLoopbackHost, readBasicAuth } from '@postern/settings';
import type { GatewaySettings } from './settings.js';

/** Credentials, and where a person finds them. */
export interface KnownCredentials extends Credentials {
  readonly dir: string;
}

/**
 * @returns `undefined` when `/system` is open: loopback only and `basic_auth` off
 * @throws {SettingsError} the files are missing or unreadable
 */
export async function gatewayCredentials(settings: GatewaySettings): Promise<KnownCredentials | undefined> {
  if (!settings.basic_auth && isLoopbackHost(settings.HOST)) return undefined;
  const dir = settings.secret_mount_path ?? join(settings.DATA_DIR, 'auth');
  if (settings.secret_mount_path === undefined) await createOnce(dir);
  return { ...await readBasicAuth(dir), dir };
}

async function createOnce(dir: string): Promise<void> {
  const password = join(dir, 'basic-auth-password');
  const exists = await access(password).then(() => true, () => false);
  if (exists) return;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await writeFile(join(dir, 'basic-auth-user'), 'admin\n', { mode: 0o600 });
  await writeFile(password, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
}
