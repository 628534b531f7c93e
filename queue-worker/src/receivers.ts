/**
 * Keeps one callback receiver from slowing the others: so many deliveries to a host at a time, and after some failures
 * in a row a pause, which a single delivery ends by succeeding. States only; no timers and no I/O.
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
}

const holdMs = 500;
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
    const free = receiver.failures >= failuresToPause ? 1 : maxInFlightPerHost;
    if (receiver.inFlight >= free) return { kind: 'hold', delayMs: Math.ceil(holdMs * (1 + this.#env.random())) };
    receiver.inFlight++;
    return { kind: 'go' };
  }

  /** @param alive - the host answered like one that is well, whatever it thought of the callback */
  left(host: string, alive: boolean): void {
    const receiver = this.#hosts.get(host);
    if (!receiver) return;
    receiver.inFlight--;
    if (alive) {
      receiver.failures = 0;
      receiver.pausedUntilMs = 0;
      if (receiver.inFlight === 0) this.#hosts.delete(host);
      return;
    }
    const nowMs = this.#env.now();
    // Those that were on their way when the pause began tell nothing new.
    if (receiver.pausedUntilMs > nowMs) return;
    receiver.failures++;
    const { failuresToPause, minPauseMs, maxPauseMs } = this.#limits;
    const over = receiver.failures - failuresToPause;
    if (over >= 0) receiver.pausedUntilMs = nowMs + Math.min(minPauseMs * 2 ** Math.min(over, 30), maxPauseMs);
  }

  #add(host: string): Receiver {
    if (this.#hosts.size >= remembered) this.#forget();
    const receiver = { inFlight: 0, failures: 0, pausedUntilMs: 0 };
    this.#hosts.set(host, receiver);
    return receiver;
  }

  #forget(): void {
    const nowMs = this.#env.now();
    for (const [host, { inFlight, pausedUntilMs }] of this.#hosts) {
      if (inFlight === 0 && pausedUntilMs <= nowMs) this.#hosts.delete(host);
    }
  }
}
