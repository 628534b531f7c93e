/**
 * A folder for each replica with a link to each secret it may read, and no other. Links, because a secret that is
 * rotated (a new file renamed over the old) must be what the next call reads.
 * Secrets are files `<secretsDir>/<namespace>/<name>`. Not here: creating them.
 */
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { InvalidFunction } from '../errors.js';
import type { FunctionSpec } from '../provider.js';

export class SecretsMount {
  readonly #secretsDir: string;
  readonly #mountsDir: string;

  /** @param mountsDir - its own; what an earlier process left in it is removed */
  constructor(secretsDir: string, mountsDir: string) {
    this.#secretsDir = resolve(secretsDir);
    this.#mountsDir = resolve(mountsDir);
    rmSync(this.#mountsDir, { recursive: true, force: true });
  }

  /** @throws {InvalidFunction} naming the first secret that is not there */
  assertPresent(spec: FunctionSpec): void {
    const missing = spec.secrets.find((secret) => !existsSync(this.#pathOf(spec, secret)));
    if (missing !== undefined) {
      throw new InvalidFunction(`function ${spec.name}: there is no secret ${missing} in namespace ${spec.namespace}: create it first (${this.#pathOf(spec, missing)})`);
    }
  }

  /** @returns the folder, which exists even when it is empty */
  mount(spec: FunctionSpec, replica: string): string {
    this.assertPresent(spec);
    const folder = join(this.#mountsDir, replica);
    this.unmount(replica);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const secret of new Set(spec.secrets)) symlinkSync(this.#pathOf(spec, secret), join(folder, secret));
    return folder;
  }

  unmount(replica: string): void {
    rmSync(join(this.#mountsDir, replica), { recursive: true, force: true });
  }

  #pathOf({ namespace }: FunctionSpec, secret: string): string {
    return join(this.#secretsDir, namespace, secret);
  }
}
