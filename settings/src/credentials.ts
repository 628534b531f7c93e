/**
 * OpenFaaS's secret files for basic authentication, and the header that carries what they say.
 * Not here: asking for it (provider/src/basic-auth.ts).
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SettingsError } from './settings.js';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/**
 * Reads `basic-auth-user` and `basic-auth-password`, without the blanks around them.
 * @param dir - `secret_mount_path`
 * @throws {SettingsError} a file is missing, unreadable or empty, or the user holds a colon
 */
export async function readBasicAuth(dir: string): Promise<Credentials> {
  const user = await readSecret(join(dir, 'basic-auth-user'));
  const password = await readSecret(join(dir, 'basic-auth-password'));
  if (user.includes(':')) throw new SettingsError(`${join(dir, 'basic-auth-user')}: basic authentication cannot carry a user with a colon`);
  return { user, password };
}

async function readSecret(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new SettingsError(`basic_auth=true: cannot read ${file} (${cause.code}); put the secret there or set secret_mount_path`, { cause });
  });
  const secret = text.trim();
  if (secret === '') throw new SettingsError(`basic_auth=true: ${file} is empty`);
  return secret;
}

/** The `Authorization` header that carries the credentials. */
export function basicAuthHeader({ user, password }: Credentials): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
