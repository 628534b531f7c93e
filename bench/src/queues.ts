/** The two queues a benchmark runs on; for JetStream it brings a nats-server of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNatsServer } from '@postern/queue/testing/nats-server';

export type Queues = 'embedded' | 'jetstream';

export async function queueEnv(queue: Queues): Promise<{ readonly env: Record<string, string>; stop(): Promise<void> }> {
  if (queue === 'embedded') return { env: {}, stop: () => Promise.resolve() };
  const storeDir = mkdtempSync(join(tmpdir(), 'postern-bench-nats-'));
  const server = await startNatsServer({ storeDir });
  return {
    env: { NATS_URL: server.url },
    async stop() {
      await server.stop();
      rmSync(storeDir, { recursive: true, force: true });
    },
  };
}
