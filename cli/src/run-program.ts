/**
 * The frame every long-running program stands in: start, wait for a signal, drain, end. What stops a start is one line on
 * stderr and exit code 1; a second signal ends at once.
 */
import { ProviderError, StackError } from '@postern/provider';
import { QueueError, QueueMisconfigured } from '@postern/queue';
import { SettingsError } from '@postern/settings';
import type { Logger } from 'pino';
import { Releasers } from './releasers.js';

/**
 * @param start - adds a release step for each part it has started, and returns the program's log
 * @param say - tells whoever watches that the program is on its way out
 */
export async function runProgram(
  name: string, start: (releasers: Releasers) => Promise<Logger>, say: (log: Logger) => void = (log) => { log.info('draining'); },
): Promise<void> {
  const releasers = new Releasers();
  const complain = (part: string, error: unknown) => { process.stderr.write(`${name}: ${part} did not close cleanly: ${lastWords(error)}\n`); };
  const stopped = firstSignal();
  try {
    const log = await start(releasers);
    await stopped;
    say(log);
  } catch (error) {
    process.exitCode = 1;
    process.stderr.write(`${name}: ${lastWords(error)}\n`);
  }
  await releasers.release(complain);
}

/** The first SIGTERM or SIGINT is a wish to drain; the second ends the process as it stands. */
function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (asked) process.exit(130);
        asked = true;
        resolve();
      });
    }
  });
}

/** One line for what a person can mend; the whole stack for a defect. */
function lastWords(error: unknown): string {
  const mendable = [SettingsError, StackError, QueueMisconfigured, QueueError, ProviderError];
  if (mendable.some((kind) => error instanceof kind)) return (error as Error).message;
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
