/**
 * The frame every long-running program stands in: start, wait for a signal, drain, end. What stops a start is one line on
 * stderr and exit code 1; a second signal ends at once.
 */
import { QueueMisconfigured } from '@postern/queue';
import { SettingsError } from '@postern/settings';
import { ProviderError } from '@postern/provider';
import type { Logger } from 'pino';
import { Releasers } from './releasers.js';

/** @param start - adds a release step for each part it has started */
export async function runProgram(name: string, log: Logger, start: (releasers: Releasers) => Promise<void>): Promise<void> {
  const releasers = new Releasers();
  const stopped = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        resolve(signal);
        process.on(signal, () => { process.exit(130); });
      });
    }
  });
  try {
    await start(releasers);
    const signal = await stopped;
    log.info({ signal }, 'draining');
  } catch (error) {
    process.exitCode = 1;
    process.stderr.write(`${name}: ${lastWords(error)}\n`);
  }
  await releasers.release(log);
}

/** One line for what a person can mend; the whole stack for a defect. */
function lastWords(error: unknown): string {
  if (error instanceof SettingsError || error instanceof QueueMisconfigured || error instanceof ProviderError) return error.message;
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
