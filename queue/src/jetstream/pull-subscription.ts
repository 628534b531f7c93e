/**
 * Deliveries of one durable consumer, pulled: never more asked for than there is room, never silence for long.
 *
 *     detached ──attach──▶ ensuring the durable consumer ──▶ pulling ──drain──▶ over
 *        ▲                         ▲   consumer gone, silence  │
 *        │                         └───────────────────────────┤
 *        └───────────── detach: the connection has ended ──────┘
 *
 * Not here: what becomes of a delivery (consume.ts), the count of deliveries to come (pulls.ts).
 */
import { createInbox, type Msg, nanos, type NatsConnection, type NatsError, type Subscription } from 'nats';
import type { Logger } from 'pino';
import type { Api } from './api.js';
import { pause } from './link.js';
import { Pulls } from './pulls.js';
import { type ConsumerNeeds, ensureConsumer } from './streams.js';

export interface PullTarget {
  /** How many more deliveries may be in hand. */
  room(): number;
  deliver(msg: Msg): void;
}

const expiresMs = 30_000;
const heartbeatMs = 5_000;
/** Two heartbeats missed, and time for the second to arrive. */
const silenceMs = 12_000;
const afterTroubleMs = 250;
const retryMs = 1_000;

/** One subscription's life: over one connection, until it is drained, replaced or lost. */
interface Life {
  readonly connection: NatsConnection;
  readonly inbox: string;
  readonly subscription: Subscription;
  readonly over: AbortController;
  readonly pulls: Pulls;
  /** The durable consumer is there. */
  ensured: boolean;
  heardAt: number;
}

export class PullSubscription {
  readonly #needs: ConsumerNeeds;
  readonly #api: Api;
  readonly #log: Logger;
  readonly #target: PullTarget;
  readonly #watch: NodeJS.Timeout;
  #life: Life | undefined;
  #pullScheduled = false;

  constructor(needs: ConsumerNeeds, api: Api, log: Logger, target: PullTarget) {
    this.#needs = needs;
    this.#api = api;
    this.#log = log;
    this.#target = target;
    this.#watch = setInterval(() => { this.#look(); }, heartbeatMs);
  }

  /** Returns before the durable consumer is there: that may take as long as the broker is silent. */
  attach(connection: NatsConnection): void {
    if (this.#life?.connection === connection) return;
    this.detach();
    this.#life = this.#begin(connection);
    void this.#ensure(this.#life, 0);
  }

  detach(): void {
    this.#life?.over.abort();
    this.#life = undefined;
  }

  /** There is more room than before. */
  schedulePull(): void {
    if (this.#pullScheduled) return;
    this.#pullScheduled = true;
    // Once a turn of the event loop: deliveries come, and end, by the chunk.
    setImmediate(() => {
      this.#pullScheduled = false;
      if (this.#life) this.#pull(this.#life);
    });
  }

  /** Takes back what was asked for: the broker drops pulls nobody listens to. */
  startAnew(): void {
    const before = this.#life;
    if (!before || before.connection.isClosed()) return;
    this.#life = this.#begin(before.connection);
    this.#life.ensured = before.ensured;
    if (!before.ensured) void this.#ensure(this.#life, 0);
    void drained(before);
    this.#pull(this.#life);
  }

  /** Ends the pulling; resolves when everything on its way has been delivered. */
  async drain(): Promise<void> {
    clearInterval(this.#watch);
    const life = this.#life;
    this.#life = undefined;
    if (life) await drained(life);
  }

  #begin(connection: NatsConnection): Life {
    const inbox = createInbox();
    const subscription = connection.subscribe(`${inbox}.*`, { callback: (err, msg) => { this.#receive(life, err, msg); } });
    const life: Life = {
      connection, inbox, subscription, over: new AbortController(), pulls: new Pulls(expiresMs), ensured: false, heardAt: performance.now(),
    };
    return life;
  }

  async #ensure(life: Life, waitMs: number): Promise<void> {
    life.ensured = false;
    life.pulls.reset();
    await pause(waitMs, life.over.signal);
    for (let failures = 0; !life.over.signal.aborted; failures++) {
      try {
        await ensureConsumer(this.#api, this.#needs);
        life.ensured = true;
        life.heardAt = performance.now();
        this.#pull(life);
        return;
      } catch (err) {
        if (failures % 30 === 0) this.#log.error({ err, consumer: this.#needs.name }, 'the lane\'s durable consumer is not to be had; trying until it is');
        await pause(retryMs, life.over.signal);
      }
    }
  }

  #pull(life: Life): void {
    const { pulls, connection, over } = life;
    if (!life.ensured || over.signal.aborted || connection.isClosed()) return;
    const batch = this.#target.room() - pulls.requested;
    // Several pulls at a time, each worth its message: the next goes out before the last is served in full.
    if (batch < 1 || batch * 2 < pulls.requested) return;
    const { id } = pulls.open(batch, performance.now());
    const { stream, name } = this.#needs;
    const question = JSON.stringify({ batch, expires: nanos(expiresMs), idle_heartbeat: nanos(heartbeatMs) });
    connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`, question, { reply: `${life.inbox}.${id}` });
  }

  /** Nothing may be thrown from here: it would end the client's reading. */
  #receive(life: Life, err: NatsError | null, msg: Msg): void {
    life.heardAt = performance.now();
    if (err) return this.#log.error({ err }, 'the broker does not let us listen for deliveries');
    try {
      if (msg.subject.startsWith(life.inbox)) return this.#status(life, msg);
      life.pulls.delivered();
      this.#target.deliver(msg);
      this.schedulePull();
    } catch (thrown) {
      this.#log.error({ err: thrown }, 'a delivery could not be taken; it will be delivered again');
    }
  }

  #status(life: Life, msg: Msg): void {
    const { code = 0, description = '' } = msg.headers ?? {};
    if (code === 100) return; // a heartbeat
    const left = msg.headers?.get('Nats-Pending-Messages');
    life.pulls.ended(msg.subject.slice(life.inbox.length + 1), left ? Number(left) : undefined);
    if (life !== this.#life) return;
    if (code === 408 || code === 404) return this.schedulePull(); // expired
    this.#log.debug({ code, description }, 'a pull was refused');
    if (code === 503 || /consumer deleted/i.test(description)) void this.#ensure(life, afterTroubleMs);
    else void pause(afterTroubleMs, life.over.signal).then(() => { this.schedulePull(); });
  }

  #look(): void {
    const life = this.#life;
    if (!life?.ensured) return;
    const now = performance.now();
    life.pulls.expire(now);
    if (life.pulls.requested > 0 && now - life.heardAt > silenceMs) {
      this.#log.warn({ consumer: this.#needs.name }, 'no heartbeat from the lane\'s durable consumer; looking whether it is there');
      void this.#ensure(life, 0);
    } else {
      this.schedulePull();
    }
  }
}

/** Unsubscribing alone would drop unseen what is on its way. */
async function drained({ subscription, connection, over }: Life): Promise<void> {
  over.abort();
  if (connection.isClosed() || subscription.isClosed()) return;
  await subscription.drain();
}
