/** An embedded queue over a temporary folder of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Queue, openEmbeddedQueue } from '@postern/queue';
import { silent } from './fixtures.js';

export async function openQueue(): Promise<{ readonly queue: Queue; close(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'postern-queue-worker-'));
  const queue = await openEmbeddedQueue({ dataDir, log: silent });
  return {
    queue,
    close: async () => {
      await queue.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
