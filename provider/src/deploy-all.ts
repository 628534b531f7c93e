/** Brings a provider to what a stack file says, at a program's start. */
import { isDeepStrictEqual } from 'node:util';
import { ProviderError } from './errors.js';
import type { FunctionSpec, Provider } from './provider.js';

/** A function that could not be deployed; it does not keep the others from it. */
export interface Refused {
  readonly spec: FunctionSpec;
  readonly error: ProviderError;
}

/**
 * Deploys what is new and updates what differs, in order. A function that is there as specified was just started by
 * its provider and is left alone; one that no stack file names stays.
 * @returns those the provider cannot run
 */
export async function deployAll(provider: Provider, specs: readonly FunctionSpec[]): Promise<readonly Refused[]> {
  const refused: Refused[] = [];
  for (const spec of specs) {
    try {
      const present = await provider.get(spec);
      if (present === undefined) await provider.deploy(spec);
      else if (!isDeepStrictEqual(present.spec, spec)) await provider.update(spec);
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      refused.push({ spec, error });
    }
  }
  return refused;
}
