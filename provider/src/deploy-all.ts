/** Brings a provider to what a stack file says, at a program's start. */
import { isDeepStrictEqual } from 'node:util';
import type { FunctionSpec, Provider } from './provider.js';

/**
 * Deploys what is new and updates what differs, in order. A function that is there as specified was just started by
 * its provider and is left alone; one that no stack file names stays.
 * @throws {InvalidFunction} at the first that cannot run here
 */
export async function deployAll(provider: Provider, specs: readonly FunctionSpec[]): Promise<void> {
  for (const spec of specs) {
    const present = await provider.get(spec);
    if (present === undefined) await provider.deploy(spec);
    else if (!isDeepStrictEqual(present.spec, spec)) await provider.update(spec);
  }
}
