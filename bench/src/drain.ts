/** A backlog worked off per second, against a bare loop that pulls as many messages and POSTs them to the same handler. */
import { bareEmbedded, bareJetStream } from './bare-drain.js';
import { fillBacklog } from './backlog.js';
import { startPostern, startWatchdog } from './processes.js';
import { type Queues, queueEnv } from './queues.js';
import { type Pair, reportRatio } from './report.js';

const calls = 20_000;
const bodyBytes = 200;
/** The worker's default `max_inflight`. */
const inFlight = 50;

export async function benchDrain(queue: Queues, reach: number): Promise<void> {
  const pairs: Pair[] = [];
  for (let round = 0; round < 3; round++) {
    const broker = await queueEnv(queue);
    const postern = await startPostern(broker.env);
    try {
      await fillBacklog(postern.url, 'gate', calls, bodyBytes);
      const start = performance.now();
      postern.openGate();
      await postern.answered('gate', calls);
      const ours = calls / ((performance.now() - start) / 1_000);
      const watchdog = await startWatchdog('gate');
      const bare = await (queue === 'embedded' ? bareEmbedded : bareJetStream)(watchdog.url, broker.env['NATS_URL'] ?? '', { calls, bodyBytes, inFlight });
      await watchdog.stop();
      pairs.push({ ours, bare });
    } finally {
      await postern.stop();
      await broker.stop();
    }
  }
  reportRatio(`drain, ${queue}, ${calls} calls, ${inFlight} in flight`, 'calls/s', pairs, reach);
}
