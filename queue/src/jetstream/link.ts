/**
 * The link to the broker: one connection at a time, for ever. When a connection ends a new one is made, after a jittered
 * wait that doubles from 100 ms to 5 s. The client's own reconnecting is off: it keeps what is published meanwhile and
 * sends it later, and a peer that neither reads nor answers can hold it up without end.
 * Not here: what is sent (replies.ts), whether the broker's streams are as we need them (streams.ts).
 */
import { connect, type ConnectionOptions, DebugEvents, type NatsConnection } from 'nats';
import type { Logger } from 'pino';
import { QueueMisconfigured } from '../errors.js';

export interface LinkEvents {
  /** A connection to a broker that is new enough. */
  up(connection: NatsConnection): void;
  /** The connection `up` told of has ended; nothing more comes of it. */
  down(): void;
  /** An attempt failed; another follows. `QueueMisconfigured` when the broker is too old. */
  failed(error: unknown): void;
}

const firstWaitMs = 100;
const longestWaitMs = 5_000;

/** A dead peer is noticed after two unanswered pings, some 9 s. */
const pings = { pingInterval: 3_000, maxPingOut: 2 } satisfies ConnectionOptions;

export class Link {
  readonly #options: ConnectionOptions;
  readonly #log: Logger;
  readonly #events: LinkEvents;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  #connection: NatsConnection | undefined;

  constructor(servers: ConnectionOptions, log: Logger, events: LinkEvents) {
    this.#options = { ...servers, ...pings, name: 'postern', reconnect: false, timeout: 5_000 };
    this.#log = log;
    this.#events = events;
    this.#running = this.#run();
  }

  /** `undefined` while the broker is away. */
  get connection(): NatsConnection | undefined {
    return this.#connection;
  }

  async close(): Promise<void> {
    this.#ended.abort();
    await this.#connection?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#ended.signal.aborted) {
      try {
        const connection = await connect(this.#options);
        const old = tooOld(connection);
        if (old !== undefined) {
          await connection.close();
          throw old;
        }
        failures = 0;
        await this.#serve(connection);
      } catch (err) {
        if (this.#ended.signal.aborted) return;
        if (failures === 0) this.#log.warn({ err }, 'the broker cannot be reached; trying until it can');
        this.#events.failed(err);
      }
      await pause(jittered(failures++), this.#ended.signal);
    }
  }

  /** Returns when the connection has ended. */
  async #serve(connection: NatsConnection): Promise<void> {
    if (this.#ended.signal.aborted) return connection.close();
    this.#connection = connection;
    this.#log.info({ server: connection.getServer(), version: connection.info?.version }, 'connected to the broker');
    this.#events.up(connection);
    void closeWhenStale(connection);
    const err = await connection.closed();
    this.#connection = undefined;
    if (!this.#ended.signal.aborted) this.#log.warn({ err }, 'the connection to the broker has ended');
    this.#events.down();
  }
}

/**
 * The client tells of a stale connection and ends it only once it can write to it; closing ends it now.
 * The loop never ends by itself: the client forgets its listeners with the connection.
 */
async function closeWhenStale(connection: NatsConnection): Promise<void> {
  for await (const { type } of connection.status()) {
    if (type === DebugEvents.StaleConnection) await connection.close();
  }
}

/** 2.9 forgets removals of its last 10 s when it is killed: calls already run would be run again. */
function tooOld(connection: NatsConnection): QueueMisconfigured | undefined {
  const version = connection.info?.version ?? 'unknown';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 2 || (major === 2 && minor >= 10)) return undefined;
  return new QueueMisconfigured(`nats-server at ${connection.getServer()} is version ${version}; 2.10 or newer is needed: upgrade it`);
}

/**
 * @param url - `nats://[user[:password]|token@]host[:port]`, or several, separated by commas: the client has one user and
 *   password, and one choice of TLS, for all
 * @throws {QueueMisconfigured} a server without a name, credentials that cannot be decoded, or differ
 */
export function parseServers(url: string): ConnectionOptions {
  const servers: string[] = [];
  let userinfo: string | undefined;
  for (const each of url.split(',')) {
    const [, scheme = '', , given, host] = /^([a-z]+:\/\/)?((.*)@)?([^@]+)$/i.exec(each.trim()) ?? [];
    if (host === undefined) throw new QueueMisconfigured('the broker\'s URL names no server: nats://host:port, or several, separated by commas');
    servers.push(scheme + host);
    if (given !== undefined && given !== (userinfo ??= given)) {
      throw new QueueMisconfigured('the broker\'s URL has several users, passwords or tokens: give all servers the same');
    }
  }
  const tls = servers.some((server) => server.startsWith('tls://')) ? { tls: {} } : {};
  return { ...credentials(userinfo), ...tls, servers };
}

function credentials(userinfo: string | undefined): ConnectionOptions {
  if (userinfo === undefined) return {};
  const colon = userinfo.indexOf(':');
  try {
    if (colon < 0) return { token: decodeURIComponent(userinfo) };
    return { user: decodeURIComponent(userinfo.slice(0, colon)), pass: decodeURIComponent(userinfo.slice(colon + 1)) };
  } catch (cause) {
    throw new QueueMisconfigured('the broker\'s URL has a user, password or token with a % that encodes nothing: write %25 for it', { cause });
  }
}

function jittered(failures: number): number {
  const ceilingMs = Math.min(firstWaitMs * 2 ** Math.min(failures, 10), longestWaitMs);
  return ceilingMs * (0.5 + Math.random() / 2);
}

/** Ends early, without an error, when told to. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
