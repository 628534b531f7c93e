/**
 * One consumer of a lane: as many deliveries in the handler's hands as it allows, each settled as the handler says.
 * Deliveries wait with the broker, not here, where their leases would run.
 * Not here: where deliveries come from (pull-subscription.ts), what settling does (settle.ts).
 */
import type { Msg, NatsConnection } from 'nats';
import type { Logger } from 'pino';
import type { HeaderList } from '../call.js';
import { decodeHeaderBlock } from '../call-codec.js';
import type { Outcome } from '../outcome.js';
import type { ConsumeOptions, Consumer, Delivery } from '../queue.js';
import type { Api } from './api.js';
import type { Held, Leases } from './leases.js';
import { pause } from './link.js';
import { headerBlock, parseDelivery } from './message.js';
import { PullSubscription } from './pull-subscription.js';
import type { Settler, Source } from './settle.js';
import type { ConsumerNeeds } from './streams.js';

/** What all consumers of a queue share. */
export interface Shared {
  readonly api: Api;
  readonly leases: Leases;
  readonly settler: Settler;
  readonly log: Logger;
  /** How long stopping waits for the broker to confirm what has ended. */
  readonly confirmMs: number;
}

/** How a message becomes what the handler is given. */
export interface Reading<Item> {
  /** The lane's key, or `callback`. */
  readonly lane: string;
  read(headers: HeaderList, body: Uint8Array): Item;
  callId(item: Item): string;
}

export type Handle<Item> = (delivery: Delivery<Item>) => Promise<Outcome>;

interface Taken<Item> {
  readonly held: Held;
  readonly item: Item;
  readonly source: Source;
}

/** A handler that throws is a defect, and a defect is not to run in a tight loop. */
const afterDefectMs = 1_000;
const longestTimerMs = 2 ** 31 - 1;

export class LaneConsumer<Item> implements Consumer {
  readonly #reading: Reading<Item>;
  readonly #handle: Handle<Item>;
  readonly #shared: Shared;
  readonly #log: Logger;
  readonly #pulling: PullSubscription;
  /** From the handler's start until the broker has confirmed its outcome. */
  readonly #running = new Map<Taken<Item>, Promise<void>>();
  /** Delivered beyond the limit, which was lowered meanwhile; its lease is kept. */
  readonly #surplus: Taken<Item>[] = [];
  #maxInFlight: number;
  /** How many of `#running` are in the handler. */
  #handling = 0;
  #stopped: Promise<readonly string[]> | undefined;

  constructor(needs: ConsumerNeeds, reading: Reading<Item>, { maxInFlight }: ConsumeOptions, handle: Handle<Item>, shared: Shared) {
    this.#reading = reading;
    this.#handle = handle;
    this.#shared = shared;
    this.#log = shared.log.child({ lane: reading.lane });
    this.#maxInFlight = maxInFlight;
    this.#pulling = new PullSubscription(needs, shared.api, this.#log, {
      room: () => this.#room(),
      deliver: (msg) => { this.#take(msg); },
    });
  }

  attach(connection: NatsConnection): void {
    if (!this.#stopped) this.#pulling.attach(connection);
  }

  detach(): void {
    this.#pulling.detach();
  }

  setMaxInFlight(maxInFlight: number): void {
    const lowered = maxInFlight < this.#maxInFlight;
    this.#maxInFlight = maxInFlight;
    if (this.#stopped) return;
    if (lowered) this.#pulling.startAnew();
    this.#startSurplus();
    this.#pulling.schedulePull();
  }

  stop(graceMs: number): Promise<readonly string[]> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  async #stop(graceMs: number): Promise<readonly string[]> {
    const drained = this.#pulling.drain();
    const returned = this.#surplus.splice(0).map(({ held }) => this.#shared.settler.giveBack(held, 0));
    const ended = new AbortController();
    void Promise.all(this.#running.values()).then(() => { ended.abort(); });
    await pause(Math.min(graceMs, longestTimerMs), ended.signal);

    const letGo: Taken<Item>[] = [];
    const settling: Promise<void>[] = [];
    for (const [taken, ending] of this.#running) {
      if (taken.held.state !== 'running') {
        settling.push(ending);
        continue;
      }
      letGo.push(taken);
      returned.push(this.#shared.settler.giveBack(taken.held, 0));
      taken.held.abort();
    }
    const confirmed = new AbortController();
    void Promise.allSettled([drained, ...returned, ...settling]).then(() => { confirmed.abort(); });
    await pause(this.#shared.confirmMs, confirmed.signal);
    return [...new Set([...letGo, ...this.#running.keys()])].map(({ source }) => source.callId);
  }

  /** Settling has slots of its own, as many: a slow broker holds up handlers only when outcomes pile up. */
  #room(): number {
    const taken = this.#handling + this.#surplus.length;
    return Math.min(this.#maxInFlight - taken, 2 * this.#maxInFlight - this.#running.size - this.#surplus.length);
  }

  #take(msg: Msg): void {
    const reply = msg.reply ?? '';
    const info = parseDelivery(reply);
    if (!info) return this.#log.error({ subject: msg.subject, reply }, 'a message that is no delivery was passed over');
    const held = this.#shared.leases.take(info, reply);
    if (!held) return this.#log.warn({ sequence: info.sequence }, 'a call that runs here was delivered again; it goes on');
    const written = decodeHeaderBlock(headerBlock(msg));
    const body = msg.data;
    const item = this.#reading.read(written, body);
    const taken: Taken<Item> = { held, item, source: { callId: this.#reading.callId(item), lane: this.#reading.lane, written, body } };
    if (this.#stopped) void this.#giveBack(taken);
    else if (this.#handling < this.#maxInFlight) this.#start(taken);
    else this.#surplus.push(taken);
  }

  #start(taken: Taken<Item>): void {
    this.#handling++;
    this.#running.set(taken, this.#run(taken));
  }

  #startSurplus(): void {
    while (this.#handling < this.#maxInFlight) {
      const next = this.#surplus.shift();
      if (!next) return;
      this.#start(next);
    }
  }

  /** Never rejects: nothing may be thrown past a settlement. */
  async #run(taken: Taken<Item>): Promise<void> {
    const { held, source } = taken;
    const outcome = await this.#outcome(taken);
    this.#handling--;
    this.#startSurplus();
    this.#pulling.schedulePull();
    try {
      // Let go meanwhile: somebody else's now.
      if (!held.signal.aborted) await this.#shared.settler.settle(held, source, outcome);
    } catch (err) {
      this.#log.error({ err, call_id: source.callId, outcome: outcome.kind }, 'an outcome could not be stored; the call will be delivered again');
    }
    this.#shared.leases.release(held);
    this.#running.delete(taken);
    this.#pulling.schedulePull();
  }

  async #outcome({ held, item, source }: Taken<Item>): Promise<Outcome> {
    try {
      return await this.#handle({ item, attempt: held.attempt, signal: held.signal });
    } catch (err) {
      this.#log.error({ err, call_id: source.callId, attempt: held.attempt }, 'a handler threw; the call will be tried again');
      return { kind: 'retry', delayMs: afterDefectMs };
    }
  }

  async #giveBack({ held, source }: Taken<Item>): Promise<void> {
    try {
      await this.#shared.settler.giveBack(held, 0);
    } catch (err) {
      this.#log.warn({ err, call_id: source.callId }, 'a call could not be given back; it will be delivered again when its lease ends');
    }
    this.#shared.leases.release(held);
  }
}
