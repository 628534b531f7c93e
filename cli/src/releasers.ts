/** What was started is let go in reverse order, also when starting stopped half-way. */
import type { Logger } from 'pino';

export class Releasers {
  readonly #steps: { readonly what: string; readonly release: () => Promise<unknown> }[] = [];
  #released: Promise<void> | undefined;

  /** @param what - for the log, should it fail */
  add(what: string, release: () => Promise<unknown>): void {
    this.#steps.push({ what, release });
  }

  /** Runs every step, whatever the others do. Idempotent. */
  release(log: Logger): Promise<void> {
    return this.#released ??= (async () => {
      for (const { what, release } of this.#steps.reverse()) {
        try {
          await release();
        } catch (err) {
          log.error({ err, part: what }, 'part did not close cleanly');
        }
      }
    })();
  }
}
