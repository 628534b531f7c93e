/** Resident memory of the whole stack's process while a large backlog is accepted and then drained. */
import { fillBacklog } from './backlog.js';
import { memoryMb, startPostern } from './processes.js';
import { type Queues, queueEnv } from './queues.js';

const calls = 200_000;
const bodyBytes = 1_000;

export async function benchMemory(queue: Queues, reachMb: number): Promise<void> {
  const broker = await queueEnv(queue);
  const postern = await startPostern(broker.env);
  try {
    await fillBacklog(postern.url, 'echo', 1_000, bodyBytes);
    await postern.answered('echo', 1_000);
    const before = memoryMb(postern.pid);
    let peak = before;
    const sampler = setInterval(() => {
      const now = memoryMb(postern.pid);
      peak = { resident: Math.max(peak.resident, now.resident), anonymous: Math.max(peak.anonymous, now.anonymous) };
    }, 200);
    await fillBacklog(postern.url, 'gate', calls, bodyBytes);
    const filled = memoryMb(postern.pid);
    postern.openGate();
    await postern.answered('gate', calls);
    clearInterval(sampler);
    // The collector and the allocator give back in their own time.
    await new Promise((resolve) => setTimeout(resolve, 30_000));
    const after = memoryMb(postern.pid);
    const figure = (name: 'resident' | 'anonymous') => `${name} ${before[name].toFixed(0)} before, +${(filled[name] - before[name]).toFixed(0)} filled, `
      + `+${(peak[name] - before[name]).toFixed(0)} at most, +${(after[name] - before[name]).toFixed(0)} drained`;
    console.log(`memory, ${queue}, ${calls} calls of ${bodyBytes} bytes, MB (reach: +${reachMb} at most): ${figure('resident')}; ${figure('anonymous')}`);
  } finally {
    await postern.kill();
    await broker.stop();
  }
}
