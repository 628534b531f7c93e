/**
 * Keeps one callback receiver from slowing the others: so many deliveries to a host at a time, and after some failures
 * in a row a pause, which a single delivery ends by succeeding. What is held back is told to come again one after the
 * other, as fast as the host has lately answered: a long backlog of a slow host must not circle through the queue.
 * States only; no timers and no I/O.
 */
import { type Env, systemEnv } from './retry-policy.js';

export interface ReceiverLimits {
  readonly maxInFlightPerHost: number;
  /** Failures in a row after which a host is left alone for a while. */
  readonly failuresToPause: number;
  readonly minPauseMs: number;
  readonly maxPauseMs: number;
}

export type Admission =
  | { readonly kind: 'go' }
  /** Not now; this is no failure of the callback. */
  | { readonly kind: 'hold'; readonly delayMs: number };

interface Receiver {
  inFlight: number;
  failures: number;
  pausedUntilMs: number;
  /** How long the host lately took for a delivery. */
  tookMs: number;
  /** Until when those held back come one after the other. */
  heldUntilMs: number;
}

/** Taken for a host's own time until it is known. */
const firstTookMs = 100;
const longestHoldMs = 60_000;
// Hosts that failed are remembered; more than this many, and those whose pause is over are forgotten.
const remembered = 10_000;

export class Receivers {
  readonly #limits: ReceiverLimits;
  readonly #env: Env;
  readonly #hosts = new Map<string, Receiver>();

  constructor(limits: ReceiverLimits, env: Env = systemEnv) {
    this.#limits = limits;
    this.#env = env;
  }

  /** Every `go` must be followed by one `left`. */
  enter(host: string): Admission {
    const receiver = this.#hosts.get(host) ?? this.#add(host);
    const { maxInFlightPerHost, failuresToPause } = this.#limits;
    const pauseMs = receiver.pausedUntilMs - this.#env.now();
    // Spread over as long again, so that what was held back does not come back in one burst.
    if (pauseMs > 0) return { kind: 'hold', delayMs: Math.ceil(pauseMs * (1 + this.#env.random())) };
    const room = receiver.failures >= failuresToPause ? 1 : maxInFlightPerHost;
    if (receiver.inFlight >= room) return { kind: 'hold', delayMs: this.#holdMs(receiver, room) };
    receiver.inFlight++;
    return { kind: 'go' };
  }

  /**
   * @param alive - the host answered like one that is well, whatever it thought of the callback
   * @param tookMs - how long it took
   */
  left(host: string, alive: boolean, tookMs: number): void {
    const receiver = this.#hosts.get(host);
    if (!receiver) return;
    receiver.inFlight--;
    receiver.tookMs += (tookMs - receiver.tookMs) / 8;
    const nowMs = this.#env.now();
    if (alive) {
      receiver.failures = 0;
      receiver.pausedUntilMs = 0;
      if (receiver.inFlight === 0 && receiver.heldUntilMs <= nowMs) this.#hosts.delete(host);
      return;
    }
    // Those that were on their way when the pause began tell nothing new.
    if (receiver.pausedUntilMs > nowMs) return;
    receiver.failures++;
    const { failuresToPause, minPauseMs, maxPauseMs } = this.#limits;
    const over = receiver.failures - failuresToPause;
    if (over >= 0) receiver.pausedUntilMs = nowMs + Math.min(minPauseMs * 2 ** Math.min(over, 30), maxPauseMs);
  }

  /** The next place behind those held back already; beyond the longest hold, anywhere in its second half. */
  #holdMs(receiver: Receiver, room: number): number {
    const nowMs = this.#env.now();
    const dueMs = Math.max(receiver.heldUntilMs, nowMs + receiver.tookMs) + receiver.tookMs / room;
    if (dueMs > nowMs + longestHoldMs) return Math.ceil(longestHoldMs * (1 + this.#env.random()) / 2);
    receiver.heldUntilMs = dueMs;
    return Math.max(1, Math.ceil(dueMs - nowMs));
  }

  #add(host: string): Receiver {
    if (this.#hosts.size >= remembered) this.#forget();
    const receiver = { inFlight: 0, failures: 0, pausedUntilMs: 0, tookMs: firstTookMs, heldUntilMs: 0 };
    this.#hosts.set(host, receiver);
    return receiver;
  }

  #forget(): void {
    const nowMs = this.#env.now();
    for (const [host, { inFlight, pausedUntilMs, heldUntilMs }] of this.#hosts) {
      if (inFlight === 0 && Math.max(pausedUntilMs, heldUntilMs) <= nowMs) this.#hosts.delete(host);
    }
  }
}
