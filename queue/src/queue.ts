/**
 * The port every queue driver fulfils; its guarantees are the contract suite's tests (queue-contract.ts).
 * Everything above it is the same code on JetStream and embedded.
 */
import type { Call, Callback, HeaderList, Lane } from './call.js';
import type { Cause, Outcome } from './outcome.js';

export interface Queue {
  /**
   * Resolves once the call is durable (JetStream's ack, LMDB's flush); only then answer 202.
   * @throws {BodyTooLarge} more than the driver stores in one piece; nothing was stored
   * @throws {QueueFull} at the store's limit; nothing was stored
   * @throws {RangeError} its lane cannot be one: a defect, because names are checked where they come in
   * @throws {QueueUnavailable} at once while the broker is known to be away; else after `publishTimeoutMs`
   *   without an answer, when the call may still be stored
   */
  publish(call: Call): Promise<Receipt>;

  /**
   * Hands the lane's calls to `handle`, oldest first, at most `maxInFlight` at a time, and settles what it returns.
   * While `handle` runs the lease is kept. A `handle` that throws is a defect: logged, and the call is tried again.
   * Several consumers, in several processes, share a lane. Returns though the broker be silent, and begins when it is not.
   * @throws {RangeError} this cannot be a lane
   * @throws {QueueMisconfigured} the broker has the lane in a way that will not do
   * @throws {QueueUnavailable} the queue is closed
   */
  consume(lane: Lane, options: ConsumeOptions, handle: (delivery: Delivery<Call>) => Promise<Outcome>): Promise<Consumer>;

  /** The same for callbacks, which share one lane apart from all functions. */
  consumeCallbacks(options: ConsumeOptions, handle: (delivery: Delivery<Callback>) => Promise<Outcome>): Promise<Consumer>;

  stats(): Promise<QueueStats>;

  /** The newest dead letters first, at most `limit`. */
  deadLetters(limit: number): Promise<readonly DeadLetter[]>;

  /** Whether calls can be accepted now; false while the broker is away. */
  readonly ready: boolean;

  /** Stops every consumer (finishing what runs), flushes and lets go of the store or the connection. Idempotent. */
  close(): Promise<void>;
}

/** Proof that a publish is durable. */
export interface Receipt {
  /** The call's position in the store, as text: it may exceed 2^53. */
  readonly sequence: string;
}

export interface ConsumeOptions {
  /** Deliveries being handled at a time by this consumer; at least 1. */
  readonly maxInFlight: number;
}

/** A call or callback in a worker's hands; only who holds it can settle it. */
export interface Delivery<Item> {
  readonly item: Item;
  /**
   * Counted from 1; one more for every delivery, whatever ended the one before: a shutdown that lets a call go has used up
   * an attempt too, because the function may have run. So attempts count deliveries, and failures are at most as many.
   */
  readonly attempt: number;
  /**
   * Aborted when the consumer lets go of the call, after a stop's grace: stop the work, its outcome no longer counts.
   * Not when a lease may have lapsed during an outage: no broker tells, and the outcome still counts when it comes.
   */
  readonly signal: AbortSignal;
}

export interface Consumer {
  /** From the next delivery on. */
  setMaxInFlight(maxInFlight: number): void;
  /**
   * Takes nothing new and finishes what runs; after `graceMs` aborts the rest, whose calls are delivered again at once.
   * Idempotent.
   * While the store or broker is silent it waits some seconds more, and no longer.
   * @returns the ids of the calls that were let go unfinished, or whose outcome is not known to be stored
   */
  stop(graceMs: number): Promise<readonly string[]>;
}

export interface LaneStats {
  readonly lane: Lane;
  /** Stored and not settled: waiting, running, and waiting for their next try. */
  readonly depth: number;
}

export interface QueueStats {
  /** Lanes that hold at least one call. */
  readonly lanes: readonly LaneStats[];
  readonly callbacks: number;
  readonly dead: number;
}

/** A call (or callback) given up, as it was, with its cause. */
export interface DeadLetter {
  readonly callId: string;
  /** `callback` for a callback's dead letter, else the lane's key. */
  readonly lane: string;
  readonly cause: Cause;
  /** All that was written beside the body (call-codec.ts): first `X-Call-Id`, `Postern-Method` and their like, then the caller's. */
  readonly headers: HeaderList;
  /** Empty when it no longer fits into the broker's messages; the cause's message says so. */
  readonly body: Uint8Array;
  readonly diedAtMs: number;
}
