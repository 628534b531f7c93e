/** The contract, run over real files. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { queueContract } from '../testing/queue-contract.js';
import { openEmbeddedQueue } from './open.js';

const maxBodyBytes = 2 * 2 ** 20;

queueContract('embedded', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'postern-queue-'));
  const open = () => openEmbeddedQueue({ dataDir, log: pino({ level: 'silent' }), maxBodyBytes });
  const queue = await open();
  let latest = queue;
  return {
    queue,
    reopen: async () => {
      await latest.close();
      latest = await open();
      return latest;
    },
    close: async () => {
      await latest.close();
      rmSync(dataDir, { recursive: true });
    },
  };
}, { maxBodyBytes });
