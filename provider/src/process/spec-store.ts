/**
 * What is deployed, on disk: one JSON file a function, `<name>.<namespace>.json`, replaced as a whole or not at all.
 *
 *   { "version": 1, "createdAt": "…", "replicas": 1, "function": FunctionDeployment, "update": FunctionDeployment (while it is tried) }
 *
 * Not here: running it (process-provider.ts).
 */
import { mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { functionDeployment, parseFunctionSpec } from '../deployment.js';
import { ProviderUnavailable } from '../errors.js';
import { maxReplicas, minReplicas } from '../function-rules.js';
import { type FunctionRef, type FunctionSpec, functionKey } from '../provider.js';

export interface StoredFunction {
  readonly spec: FunctionSpec;
  /** Accepted and not yet known to start; until it is, `spec` is what works. */
  readonly update?: FunctionSpec;
  /** Wanted. */
  readonly replicas: number;
  /** RFC 3339. */
  readonly createdAt: string;
}

const stored = z.object({
  version: z.literal(1), createdAt: z.iso.datetime(), function: z.unknown(), update: z.unknown().optional(),
  replicas: z.int().min(0).max(maxReplicas).optional(),
});

export class SpecStore {
  readonly #folder: string;

  /** Makes the folder where it is missing. */
  static async open(folder: string): Promise<SpecStore> {
    await mkdir(folder, { recursive: true });
    return new SpecStore(folder);
  }

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** All of them, the oldest first. A file that cannot be read is left as it is, and told in the log. */
  async load(log: Logger): Promise<StoredFunction[]> {
    const functions: StoredFunction[] = [];
    for (const file of await readdir(this.#folder)) {
      if (!file.endsWith('.json')) continue;
      const path = join(this.#folder, file);
      try {
        functions.push(parse(await readFile(path, 'utf8')));
      } catch (err) {
        log.error({ err, file: path }, 'this function was not started: its file cannot be read; deploy it again');
      }
    }
    return functions.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  }

  /**
   * Resolves once it survives a power cut.
   * @throws {ProviderUnavailable} a full disk, say; what was stored before is still there
   */
  async save(stored: StoredFunction): Promise<void> {
    try {
      await this.#replace(stored);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ProviderUnavailable(`function ${stored.spec.name} could not be stored: ${why}`, { cause });
    }
  }

  async #replace({ spec, update, replicas, createdAt }: StoredFunction): Promise<void> {
    const content = { version: 1, createdAt, replicas, function: functionDeployment(spec), ...(update ? { update: functionDeployment(update) } : {}) };
    const path = this.#pathOf(spec);
    const temporary = `${path}.new`;
    // Variables may hold what is nobody else's to read.
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(content, undefined, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await this.#syncFolder();
  }

  async remove(ref: FunctionRef): Promise<void> {
    await rm(this.#pathOf(ref), { force: true });
    await this.#syncFolder();
  }

  /** A rename is on disk when its folder is. */
  async #syncFolder(): Promise<void> {
    const folder = await open(this.#folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  /** Neither part holds a dot, so no two functions share a file. */
  #pathOf(ref: FunctionRef): string {
    return join(this.#folder, `${functionKey(ref)}.json`);
  }
}

function parse(text: string): StoredFunction {
  const { createdAt, function: json, update, replicas } = stored.parse(JSON.parse(text));
  // Files name their namespace; there is no default to fall back on.
  const spec = parseFunctionSpec(json, '');
  return { spec, createdAt, replicas: replicas ?? minReplicas(spec), ...(update === undefined ? {} : { update: parseFunctionSpec(update, '') }) };
}
