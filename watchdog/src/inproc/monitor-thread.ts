/**
 * The second thread's half of the monitor (monitor.ts): ends the process when the main thread's event loop has stood
 * still for too long, or when the parent has gone, both of which a blocked main thread cannot see to itself.
 */
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { checkEveryMs, headBytes, slotBytes, slotCount, type MonitorData } from './monitor.js';

// What monitor.ts passes; threads share no types.
const { memory, blockedLimitMs, parentPid } = workerData as MonitorData;
const words = new Uint32Array(memory, 0, 2);
const text = Buffer.from(memory, headBytes);

let lastTick = 0;
let stillMs = 0;
let lastCheckMs = performance.now();

setInterval(() => {
  const nowMs = performance.now();
  // Capped, because a machine that slept has not blocked its loop.
  const passedMs = Math.min(nowMs - lastCheckMs, 2 * checkEveryMs);
  lastCheckMs = nowMs;
  if (parentPid !== 0 && process.ppid !== parentPid) end('the parent process has gone; ending');

  const tick = Atomics.load(words, 0);
  const turning = tick !== lastTick || Atomics.load(words, 1) === 0;
  lastTick = tick;
  stillMs = turning ? 0 : stillMs + passedMs;
  if (blockedLimitMs > 0 && stillMs > blockedLimitMs) {
    end(`the handler has blocked the event loop for ${(stillMs / 1000).toFixed(1)}s; ending the process${runningCalls()}`);
  }
}, checkEveryMs);

function runningCalls(): string {
  const ids: string[] = [];
  for (let at = 0; at < slotCount * slotBytes; at += slotBytes) {
    const length = text[at] ?? 0;
    if (length > 0) ids.push(text.toString('latin1', at + 1, at + 1 + length));
  }
  return ids.length === 0 ? '' : `; running: [${ids.join('] [')}]`;
}

function end(reason: string): never {
  try {
    writeSync(2, `${reason}\n`);
  } finally {
    process.kill(process.pid, 'SIGKILL');
  }
  throw new Error('unreachable: SIGKILL ends the process');
}
