import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { exampleSpec } from '../testing/example-spec.js';
import { providerContract } from '../testing/provider-contract.js';
import { createProcessProvider } from './process-provider.js';
import { fakeWatchdog } from './testing/open-provider.js';

providerContract('process', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'postern-process-'));
  const provider = await createProcessProvider({
    dataDir, watchdogMain: fakeWatchdog, log: pino({ level: 'silent' }), defaultNamespace: 'openfaas-fn', env: {}, drainDelayMs: 0,
  });
  return {
    provider,
    spec: (ref) => ({ ...exampleSpec(ref), envProcess: 'cat' }),
    close: async () => {
      await provider.close();
      await rm(dataDir, { recursive: true });
    },
  };
});
