/** `postern queue-worker`: a worker alone; any number of them share the work. */
import { queueWorkerProgramSettings, startQueueWorkerProgram } from '@postern/queue-worker';
import { readSettings } from '@postern/settings';
import { createLog } from './log.js';
import { openQueue } from './open-queue.js';
import { runProgram } from './run-program.js';

export async function queueWorker(env: NodeJS.ProcessEnv): Promise<void> {
  await runProgram('postern queue-worker', async (releasers) => {
    const settings = readSettings(queueWorkerProgramSettings, env);
    const log = createLog(settings.LOG_LEVEL, 'queue-worker');
    const queue = await openQueue({ natsUrl: settings.NATS_URL, dataDir: '', leaseMs: settings.ack_wait, log });
    releasers.add('queue', () => queue.close());
    const worker = await startQueueWorkerProgram({ queue, settings, log });
    releasers.add('queue-worker', () => worker.close());
    return log;
  });
}
