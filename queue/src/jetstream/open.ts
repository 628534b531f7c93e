/**
 * The queue on NATS JetStream. Opening does not wait for the broker: calls are refused until it is there, and consumers
 * begin when it is.
 *
 *     away ──connected──▶ checking the streams ──as needed──▶ ready ──▶ closed
 *      ▲                      │        ▲ │ no, or no answer     │
 *      └───connection lost────┴────────┴─┴──────────────────────┘   (a stream that is missed: looked at again)
 *
 * Not here: the parts it is made of, one a file in this folder.
 */
import type { NatsConnection, StreamInfo } from 'nats';
import type { Logger } from 'pino';
import { type Call, type Callback, type Lane, laneKey, parseLaneKey } from '../call.js';
import { readCall, readCallback } from '../call-codec.js';
import { QueueMisconfigured, QueueUnavailable } from '../errors.js';
import type { Consumer, ConsumeOptions, DeadLetter, LaneStats, Queue, QueueStats, Receipt } from '../queue.js';
import { Api } from './api.js';
import { type Handle, LaneConsumer, type Reading, type Shared } from './consume.js';
import { readDeadLetters } from './dead-letters.js';
import { checkLease, Leases } from './leases.js';
import { Link, parseServers, pause } from './link.js';
import { Publisher } from './publish.js';
import { Replies } from './replies.js';
import { Settler } from './settle.js';
import { callbackConsumer, callbackLane, callSubject, type ConsumerNeeds, ensureConsumer, ensureStreams, laneConsumer, streams } from './streams.js';

export interface JetStreamOptions {
  /** `nats://[user[:password]|token@]host[:port]`, or several of one cluster, separated by commas. */
  readonly url: string;
  readonly log: Logger;
  /**
   * After this long without a sign of life a delivery goes to another; 1 s to 5 min. Of workers that share a lane the
   * longest holds. One shorter than 30 s holds for lanes whose durable consumer had none longer before.
   */
  readonly leaseMs?: number;
  readonly publishTimeoutMs?: number;
  /** Headers and body together; the broker's `max_payload`, less 2 KiB for a dead letter's cause, holds besides. */
  readonly maxBodyBytes?: number;
}

const defaultLeaseMs = 30_000;
const checkAgainMs = 2_000;
const betweenChecksMs = 500;
const mostStraysTold = 100;

/**
 * Resolves once the broker is ready, or has shown itself away: then the queue is not `ready` until it comes.
 * @throws {QueueMisconfigured} an option will not do, or the broker is there, but older than 2.10, or with streams of our names that will not do.
 *   Found later, after a reconnect, that is logged, and calls are refused until it is mended.
 */
export async function openJetStreamQueue(options: JetStreamOptions): Promise<Queue> {
  checkLease(options.leaseMs ?? defaultLeaseMs);
  const queue = new JetStreamQueue(options);
  try {
    await queue.firstVerdict;
  } catch (err) {
    await queue.close();
    throw err;
  }
  return queue;
}

class JetStreamQueue implements Queue {
  /** Settles when it is known how things stand: ready, away (both resolve), or misconfigured. */
  readonly firstVerdict: Promise<void>;
  readonly #log: Logger;
  readonly #leaseMs: number;
  readonly #publishTimeoutMs: number;
  readonly #link: Link;
  readonly #replies: Replies;
  readonly #api: Api;
  readonly #publisher: Publisher;
  readonly #leases: Leases;
  readonly #shared: Shared;
  readonly #consumers = new Set<Pick<LaneConsumer<never>, 'attach' | 'detach' | 'stop'>>();
  #verdict: (err?: unknown) => void = () => undefined;
  /** Aborted when the connection of the moment has ended. */
  #connected = new AbortController();
  /** Of the connection whose broker is being looked at. */
  #checking: AbortSignal | undefined;
  #ready = false;
  /** Subjects that are no lane's and were logged. */
  readonly #strays = new Set<string>();
  #refusal = 'the broker is away';
  #closed: Promise<void> | undefined;

  constructor({ url, log, leaseMs = defaultLeaseMs, publishTimeoutMs = 5_000, maxBodyBytes = Infinity }: JetStreamOptions) {
    const servers = parseServers(url);
    this.#log = log;
    this.#leaseMs = leaseMs;
    this.#publishTimeoutMs = publishTimeoutMs;
    this.firstVerdict = new Promise((resolve, reject) => {
      this.#verdict = (err) => { if (err instanceof QueueMisconfigured) reject(err); else resolve(); };
    });
    this.#replies = new Replies(log);
    const streamMissing = (): void => { void this.#check(); };
    const maxPayload = (): number => this.#link.connection?.info?.max_payload ?? Infinity;
    this.#api = new Api(this.#replies, streamMissing);
    this.#publisher = new Publisher(this.#replies, { timeoutMs: publishTimeoutMs, maxBodyBytes }, maxPayload, streamMissing);
    this.#leases = new Leases(leaseMs);
    const settler = new Settler(this.#replies, this.#api, this.#publisher, leaseMs);
    this.#shared = { api: this.#api, leases: this.#leases, settler, log, confirmMs: publishTimeoutMs };
    this.#link = new Link(servers, log, {
      up: (connection) => { this.#up(connection); },
      down: () => { this.#down(); },
      failed: (err) => { this.#refuse(err); },
    });
  }

  get ready(): boolean {
    return this.#ready && !this.#closed;
  }

  async publish(call: Call): Promise<Receipt> {
    if (!this.ready) throw new QueueUnavailable(`${this.#closed ? 'the queue is closed' : this.#refusal}; nothing was stored`);
    return this.#publisher.publish(call);
  }

  async consume(lane: Lane, options: ConsumeOptions, handle: Handle<Call>): Promise<Consumer> {
    const reading: Reading<Call> = { lane: laneKey(lane), read: (headers, body) => readCall(lane, headers, body), callId: ({ id }) => id };
    return this.#consume(laneConsumer(lane, this.#leaseMs), reading, options, handle);
  }

  consumeCallbacks(options: ConsumeOptions, handle: Handle<Callback>): Promise<Consumer> {
    const reading: Reading<Callback> = { lane: callbackLane, read: readCallback, callId: ({ callId }) => callId };
    return this.#consume(callbackConsumer(this.#leaseMs), reading, options, handle);
  }

  async #consume<Item>(needs: ConsumerNeeds, reading: Reading<Item>, options: ConsumeOptions, handle: Handle<Item>): Promise<Consumer> {
    if (this.#closed) throw new QueueUnavailable('the queue is closed');
    // Whoever consumes is told of a misconfiguration; silence is for the consumer to outlast.
    if (this.#ready) await ensureConsumer(this.#api, needs).catch((err: unknown) => { if (err instanceof QueueMisconfigured) throw err; });
    const consumer = new LaneConsumer(needs, reading, options, handle, this.#shared);
    this.#consumers.add(consumer);
    const { connection } = this.#link;
    if (this.#ready && connection && !connection.isClosed()) consumer.attach(connection);
    return {
      setMaxInFlight: (maxInFlight) => { consumer.setMaxInFlight(maxInFlight); },
      stop: async (graceMs) => {
        const letGo = await consumer.stop(graceMs);
        this.#consumers.delete(consumer);
        return letGo;
      },
    };
  }

  async stats(): Promise<QueueStats> {
    const [lanes, callbacks, dead] = await Promise.all([
      this.#laneStats(), this.#api.ask<StreamInfo>(`STREAM.INFO.${streams.callbacks}`), this.#api.ask<StreamInfo>(`STREAM.INFO.${streams.dead}`),
    ]);
    return { lanes, callbacks: callbacks.state.messages, dead: dead.state.messages };
  }

  /** A call's message stays in the work queue until it is settled: a subject's messages are its lane's depth. */
  async #laneStats(): Promise<readonly LaneStats[]> {
    const prefix = callSubject({ queue: 'q', namespace: 'n', function: 'f' }).slice(0, -'q.n.f'.length);
    const lanes: LaneStats[] = [];
    for (let offset = 0; ;) {
      const info = await this.#api.ask<StreamInfo & { readonly total?: number }>(`STREAM.INFO.${streams.calls}`, { subjects_filter: `${prefix}>`, offset });
      const page = Object.entries(info.state.subjects ?? {});
      for (const [subject, depth] of page) {
        const lane = parseLaneKey(subject.slice(prefix.length));
        if (!lane) this.#tellStray(subject);
        else if (depth > 0) lanes.push({ lane, depth });
      }
      offset += page.length;
      if (page.length === 0 || offset >= (info.total ?? 0)) return lanes;
    }
  }

  /** Any NATS client may store what no worker ever takes. */
  #tellStray(subject: string): void {
    if (this.#strays.has(subject) || this.#strays.size >= mostStraysTold) return;
    this.#strays.add(subject);
    this.#log.warn({ subject }, 'the calls\' stream holds a subject that is no lane\'s; nobody takes it: remove it');
  }

  deadLetters(limit: number): Promise<readonly DeadLetter[]> {
    return readDeadLetters(this.#api, limit);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    // Outcomes are confirmed or given up: a broker that is away must not keep the program from ending.
    this.#replies.hurry(this.#publishTimeoutMs);
    await Promise.all([...this.#consumers].map((consumer) => consumer.stop(Infinity)));
    await this.#replies.close(this.#publishTimeoutMs);
    this.#leases.close();
    this.#connected.abort();
    await this.#link.close();
  }

  #up(connection: NatsConnection): void {
    this.#connected = new AbortController();
    this.#replies.attach(connection);
    void this.#check();
  }

  /** Returns when the streams are as we need them, or the connection has ended. Also when a stream shows itself missing. */
  async #check(): Promise<void> {
    const { connection } = this.#link;
    const { signal } = this.#connected;
    if (!connection || this.#checking === signal) return;
    this.#checking = signal;
    while (!signal.aborted) {
      try {
        // Longer than a publish is repeated for, so that no repetition comes after its id is forgotten.
        await ensureStreams(this.#api, { duplicateWindowMs: 2 * this.#publishTimeoutMs });
        if (signal.aborted) return;
        this.#leases.attach(connection);
        this.#ready = true;
        this.#verdict();
        for (const consumer of this.#consumers) consumer.attach(connection);
        break;
      } catch (err) {
        if (signal.aborted) return;
        this.#ready = false;
        if (!(err instanceof QueueMisconfigured)) this.#log.warn({ err }, 'connected, but JetStream does not answer; asking again');
        this.#refuse(err);
        await pause(checkAgainMs, signal);
      }
    }
    // Publishes that wait for a stream's leader ask for this many times a second.
    await pause(betweenChecksMs, signal);
    if (this.#checking === signal) this.#checking = undefined;
  }

  #down(): void {
    this.#connected.abort();
    this.#ready = false;
    this.#refusal = 'the broker is away';
    this.#replies.detach();
    this.#leases.detach();
    for (const consumer of this.#consumers) consumer.detach();
  }

  #refuse(err: unknown): void {
    const refusal = err instanceof QueueMisconfigured ? err.message : 'the broker is away';
    if (err instanceof QueueMisconfigured && refusal !== this.#refusal) this.#log.error({ err }, 'the broker will not do; calls are refused until it does');
    this.#refusal = refusal;
    this.#verdict(err);
  }
}
