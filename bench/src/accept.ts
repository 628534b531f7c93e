/** Asynchronous accepts per second, against a bare server that answers 202 and stores nothing. */
import { type Queues, queueEnv } from './queues.js';
import { startBare, startPostern } from './processes.js';
import { type Pair, reportRatio } from './report.js';
import { wrk } from './wrk.js';

const connections = 256;
const seconds = 6;

export async function benchAccept(queue: Queues, reach: number): Promise<void> {
  const broker = await queueEnv(queue);
  const bare = await startBare('bare-202.js');
  const postern = await startPostern(broker.env);
  try {
    const pairs: Pair[] = [];
    await wrk(`${postern.url}/async-function/gate`, connections, 2);
    for (let round = 0; round < 3; round++) {
      const ours = await wrk(`${postern.url}/async-function/gate`, connections, seconds);
      const theirs = await wrk(bare.url, connections, seconds);
      if (ours.errors + theirs.errors > 0) throw new Error(`accept: ${ours.errors} and ${theirs.errors} errors`);
      pairs.push({ ours: ours.requestsPerSecond, bare: theirs.requestsPerSecond });
    }
    reportRatio(`async accept, ${queue}, ${connections} connections`, 'calls/s', pairs, reach);
  } finally {
    await postern.kill();
    await bare.stop();
    await broker.stop();
  }
}
