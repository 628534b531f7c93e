/**
 * The contract of the Queue port: every guarantee is a test here, and every driver's own test runs them all.
 * What a driver cannot promise it declares in `exceptions`: skipped, counted and printed with its reason.
 * Not here: the guarantees themselves (contract-delivery.ts, contract-settlement.ts, contract-lifecycle.ts), and faults
 * only one driver knows (its own tests).
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { deliveryContract } from './contract-delivery.js';
import type { Guarantee, OpenedQueue } from './contract-fixture.js';
import { lifecycleContract } from './contract-lifecycle.js';
import { settlementContract } from './contract-settlement.js';

export type { OpenedQueue } from './contract-fixture.js';

export interface QueueContractOptions {
  /** The limit the opened queues were given; larger bodies are refused. */
  readonly maxBodyBytes: number;
  /** The names of guarantees this driver does not give, each with why. */
  readonly exceptions?: Readonly<Record<string, string>>;
}

export function queueContract(driver: string, open: () => Promise<OpenedQueue>, options: QueueContractOptions): void {
  describe(`queue contract: ${driver}`, () => {
    const undeclared = new Set(Object.keys(options.exceptions ?? {}));
    const guarantee: Guarantee = (name, run) => {
      undeclared.delete(name);
      const reason = options.exceptions?.[name];
      test(name, { skip: reason ?? false }, async () => {
        const opened = await open();
        try {
          await run(opened);
        } finally {
          await opened.close();
        }
      });
    };
    deliveryContract(guarantee, options.maxBodyBytes);
    settlementContract(guarantee);
    lifecycleContract(guarantee);
    after(() => { assert.deepEqual([...undeclared], [], 'every declared exception names a guarantee'); });
  });
}
