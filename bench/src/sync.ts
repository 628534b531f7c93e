/** Sync calls per second through the gateway, against a bare undici proxy in front of the same handler in a watchdog of its own. */
import { startBare, startPostern, startWatchdog } from './processes.js';
import { type Pair, reportRatio } from './report.js';
import { wrk } from './wrk.js';

const connections = 64;
const seconds = 6;

export async function benchSync(reach: number): Promise<void> {
  const postern = await startPostern({});
  const watchdog = await startWatchdog('echo');
  const bare = await startBare('bare-proxy.js', watchdog.url);
  try {
    const pairs: Pair[] = [];
    await wrk(`${postern.url}/function/echo`, connections, 2);
    await wrk(bare.url, connections, 2);
    for (let round = 0; round < 3; round++) {
      const ours = await wrk(`${postern.url}/function/echo`, connections, seconds);
      const theirs = await wrk(bare.url, connections, seconds);
      if (ours.errors + theirs.errors > 0) throw new Error(`sync: ${ours.errors} and ${theirs.errors} errors`);
      pairs.push({ ours: ours.requestsPerSecond, bare: theirs.requestsPerSecond });
    }
    reportRatio(`sync echo, ${connections} connections`, 'calls/s', pairs, reach);
  } finally {
    await bare.stop();
    await watchdog.stop();
    await postern.stop();
  }
}
