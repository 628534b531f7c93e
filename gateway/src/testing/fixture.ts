/** A gateway on a free port over an in-memory provider, real replicas and a queue of the test's choice. */
import { type RequestListener, createServer } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { exampleSpec } from '@postern/provider/testing/example-spec';
import { MemoryProvider } from '@postern/provider/testing/memory-provider';
import { type Queue, openEmbeddedQueue } from '@postern/queue';
import { listen, readSettings } from '@postern/settings';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { type Gateway, startGateway } from '../gateway.js';
import { gatewaySettings } from '../settings.js';

export const namespace = 'openfaas-fn';

export interface Fixture {
  readonly gateway: Gateway;
  readonly url: string;
  readonly provider: MemoryProvider;
  readonly queue: Queue;
  readonly registry: Registry;
  /** Deploys a function with these replicas, all ready. */
  deploy(name: string, ...replicas: readonly string[]): Promise<void>;
}

export async function startFixture(t: TestContext, env: Record<string, string> = {}, over?: (queue: Queue) => Queue): Promise<Fixture> {
  const dir = await mkdtemp(join(tmpdir(), 'postern-gateway-'));
  const log = pino({ level: 'silent' });
  const embedded = await openEmbeddedQueue({ dataDir: dir, log });
  const queue = over ? over(embedded) : embedded;
  const provider = new MemoryProvider();
  const registry = new Registry();
  const settings = readSettings(gatewaySettings, { PORT: '0', DATA_DIR: dir, ...env });
  const gateway = await startGateway({ settings, queue, provider, registry, log, version: '0.0.0-test' });
  t.after(async () => {
    await gateway.close(0);
    await embedded.close();
    await rm(dir, { recursive: true, force: true });
  });
  return {
    gateway, url: gateway.url, provider, queue, registry,
    async deploy(name, ...replicas) {
      await provider.deploy(exampleSpec({ name, namespace }));
      provider.setEndpoints({ name, namespace }, replicas.map((url, i) => ({ replica: `${name}-${i}`, url })));
    },
  };
}

/** A replica: an HTTP server on a free port, closed at the test's end. */
export async function startReplica(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer({ maxHeaderSize: 1_024 * 1_024 }, listener);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return await listen(server, '127.0.0.1', 0);
}

/** A URL at which nobody listens: connections are refused. */
export async function refusingUrl(): Promise<string> {
  const server = createServer();
  const url = await listen(server, '127.0.0.1', 0);
  await new Promise((resolve) => server.close(resolve));
  return url;
}

/** Sends bytes as they are and reads until the server closes or `enough` is satisfied. */
export async function sendRaw(url: string, bytes: string | Buffer, enough: (text: string) => boolean = () => false): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(bytes);
  let text = '';
  try {
    for await (const chunk of socket) {
      text += String(chunk);
      if (enough(text)) break;
    }
  } catch { /* a reset ends the reading too; what has come counts */ }
  socket.destroy();
  return text;
}

/** A promise with its ends in hand (Promise.withResolvers, which Node 20 lacks). */
export function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => { resolve = settle; });
  return { promise, resolve };
}
