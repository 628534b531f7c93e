/** Brokers, proxies and queues of one test, all gone when it ends. */
import type { TestContext } from 'node:test';
import { connect, type JetStreamManager } from 'nats';
import pino from 'pino';
import { type JetStreamOptions, openJetStreamQueue } from '../jetstream/open.js';
import type { Queue } from '../queue.js';
import { type NatsServer, startNatsServer } from './nats-server.js';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';

const log = pino({ level: 'silent' });

const endings = new WeakMap<TestContext, (() => Promise<unknown>)[]>();

/** What a test opened last is closed first: a queue before its broker. */
function afterwards(t: TestContext, end: () => Promise<unknown>): void {
  const known = endings.get(t);
  if (known) return void known.unshift(end);
  const ends = [end];
  endings.set(t, ends);
  t.after(async () => { for (const each of ends) await each(); });
}

export async function startServer(t: TestContext, config = ''): Promise<NatsServer> {
  const server = await startNatsServer({ config });
  afterwards(t, () => server.stop());
  return server;
}

export async function startProxy(t: TestContext, server: NatsServer): Promise<TcpProxy> {
  const proxy = await startTcpProxy(server.port);
  afterwards(t, () => proxy.close());
  return proxy;
}

export async function open(t: TestContext, options: Omit<JetStreamOptions, 'log'>): Promise<Queue> {
  const queue = await openJetStreamQueue({ ...options, log });
  afterwards(t, () => queue.close());
  return queue;
}

export async function administer(server: NatsServer, work: (jsm: JetStreamManager) => Promise<unknown>): Promise<void> {
  const connection = await connect({ servers: `127.0.0.1:${server.port}` });
  try {
    await work(await connection.jetstreamManager());
  } finally {
    await connection.close();
  }
}
