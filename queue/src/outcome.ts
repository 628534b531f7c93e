/**
 * How an attempt ended, and with it what the queue does to the call. The one word between worker and queue:
 * a worker returns an outcome, the driver settles it, exactly once.
 * Not here: choosing one (queue-worker/src/retry-policy.ts).
 */
import type { Callback } from './call.js';

export type Outcome =
  /** The function answered. The callback, if any, is durable before the call is removed. */
  | { readonly kind: 'done'; readonly callback?: Callback }
  /** To be tried again, no sooner than `delayMs` from now. */
  | { readonly kind: 'retry'; readonly delayMs: number }
  /** Given up: kept among the dead letters with its cause; the callback, if any, says so. */
  | { readonly kind: 'dead'; readonly cause: Cause; readonly callback?: Callback };

/** Why a call or a callback was given up. */
export interface Cause {
  /** A stable word: `status`, `unreachable`, `timeout`, `function_not_found` … */
  readonly code: string;
  /** One sentence for a person. */
  readonly message: string;
  /** The last answer's status, when there was an answer. */
  readonly status?: number;
  readonly attempts: number;
}
