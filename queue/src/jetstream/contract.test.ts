import { after } from 'node:test';
import pino from 'pino';
import type { Queue } from '../queue.js';
import { startNatsServer } from '../testing/nats-server.js';
import { queueContract } from '../testing/queue-contract.js';
import { openJetStreamQueue } from './open.js';

const maxBodyBytes = 256 * 1024;
const log = pino({ level: 'silent' });

/** One server for all; each test has an account of its own, and with it a store of its own. */
const accounts = Array.from({ length: 60 }, (_, i) => `test-${i}`);
const server = await startNatsServer({
  config: `accounts {\n${accounts.map((name) => `  ${name}: { jetstream: enabled, users: [{ user: ${name}, password: test }] }`).join('\n')}\n}`,
});
after(() => server.stop());

queueContract('jetstream', async () => {
  const account = accounts.pop();
  if (account === undefined) throw new Error('more tests than accounts');
  const open = (): Promise<Queue> => openJetStreamQueue({ url: `nats://${account}:test@127.0.0.1:${server.port}`, log, maxBodyBytes });
  let queue = await open();
  return {
    queue,
    reopen: async () => {
      await queue.close();
      queue = await open();
      return queue;
    },
    close: () => queue.close(),
  };
}, { maxBodyBytes });
