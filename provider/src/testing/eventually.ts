/** Waits for what no event tells. For tests. */
import { setTimeout as sleep } from 'node:timers/promises';

/** @throws when it does not come to hold within the deadline */
export async function eventually(holds: () => boolean | Promise<boolean>, deadlineMs = 15_000): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (!await holds()) {
    if (Date.now() > deadline) throw new Error(`in ${deadlineMs} ms it never came to hold: ${holds}`);
    await sleep(5);
  }
}
