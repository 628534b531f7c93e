import { exampleSpec } from './example-spec.js';
import { MemoryProvider } from './memory-provider.js';
import { providerContract } from './provider-contract.js';

providerContract('memory', async () => {
  const provider = new MemoryProvider();
  return { provider, spec: exampleSpec, close: () => provider.close() };
});
