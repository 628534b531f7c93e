/**
 * What this process holds: every delivery between its arrival and its settlement. One timer extends all their leases.
 *
 * A call that is delivered again while it runs here (its lease lapsed while the broker was away, or its consumer was
 * made anew) is not run twice: the delivery at hand takes over the newer one's place, and answers for both.
 *
 * The broker does not tell when a lease has lapsed, and a late answer still counts; so nothing is aborted on suspicion:
 * an outage longer than the lease would end every long run, only to run it again.
 */
import type { NatsConnection } from 'nats';
import { QueueMisconfigured } from '../errors.js';
import { type DeliveryInfo, identityOf } from './message.js';

const shortestLeaseMs = 1_000;
const longestLeaseMs = 300_000;
const longestSilenceMs = 10_000;

/** Whoever shares a lane gives a sign three times in so long, whatever lease it asks for: no lease is shortened below it. */
export const sharedLeaseMs = 3 * longestSilenceMs;

/** @throws {QueueMisconfigured} shorter than signs can keep up with, or longer than calls of a dead worker should wait */
export function checkLease(leaseMs: number): void {
  if (leaseMs >= shortestLeaseMs && leaseMs <= longestLeaseMs) return;
  throw new QueueMisconfigured(`a lease (ack_wait) of ${leaseMs} ms will not do: choose from 1s to 5m`);
}

type State =
  | 'running'
  /** Its end is being stored; a further delivery belongs to the same end. */
  | 'ending'
  /** Being handed back to the broker; a further delivery is the next attempt. */
  | 'returning';

export class Held {
  readonly identity: string;
  readonly stream: string;
  readonly sequence: string;
  readonly attempt: number;
  /** Where to answer; a newer delivery's once there is one. */
  reply: string;
  state: State = 'running';
  readonly #abort = new AbortController();

  constructor(info: DeliveryInfo, reply: string) {
    this.identity = identityOf(info);
    this.stream = info.stream;
    this.sequence = info.sequence;
    this.attempt = info.attempt;
    this.reply = reply;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  abort(): void {
    this.#abort.abort();
  }
}

export class Leases {
  readonly #held = new Map<string, Held>();
  readonly #timer: NodeJS.Timeout;
  #connection: NatsConnection | undefined;

  constructor(leaseMs: number) {
    this.#timer = setInterval(() => { this.#extend(); }, Math.min(leaseMs / 3, longestSilenceMs));
  }

  /** Before anything is pulled over this connection: what the broker believes lapsed is ours again. */
  attach(connection: NatsConnection): void {
    this.#connection = connection;
    this.#extend();
  }

  detach(): void {
    this.#connection = undefined;
  }

  /** @returns `undefined` when the call is already in hand here */
  take(info: DeliveryInfo, reply: string): Held | undefined {
    const known = this.#held.get(identityOf(info));
    if (known && known.state !== 'returning') {
      known.reply = reply;
      return undefined;
    }
    const held = new Held(info, reply);
    this.#held.set(held.identity, held);
    return held;
  }

  release(held: Held): void {
    if (this.#held.get(held.identity) === held) this.#held.delete(held.identity);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #extend(): void {
    const connection = this.#connection;
    if (!connection || connection.isClosed()) return;
    for (const { reply, state } of this.#held.values()) {
      if (state !== 'returning') connection.publish(reply, '+WPI');
    }
  }
}
