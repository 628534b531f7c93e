/**
 * The contract of the Queue port: every guarantee is a test here, and every driver's own test runs them all.
 * What a driver cannot promise it declares in `exceptions`: skipped, counted and printed with its reason.
 * Not here: the guarantees themselves (contract-delivery.ts, contract-settlement.ts, contract-lifecycle.ts), and faults
 * only one driver knows (its own tests).
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Queue } from '../queue.js';
import { deliveryContract } from './contract-delivery.js';
import { lifecycleContract } from './contract-lifecycle.js';
import { settlementContract } from './contract-settlement.js';

/** A queue over a fresh, empty store of its own. */
export interface OpenedQueue {
  readonly queue: Queue;
  /** Closes the queue, unless that has happened, and opens another over the same store. */
  reopen(): Promise<Queue>;
  /** Closes the queue opened last and removes the store. */
  close(): Promise<void>;
}

export interface QueueContractOptions {
  /** The limit the opened queues were given; larger bodies are refused. */
  readonly maxBodyBytes: number;
  /** The names of guarantees this driver does not give, each with why. */
  readonly exceptions?: Readonly<Record<string, string>>;
}

/** Registers one guarantee; its name is the promise. */
export type Guarantee = (name: string, run: (opened: OpenedQueue) => Promise<void>) => void;

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
