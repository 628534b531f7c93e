/**
 * Any provider by OpenFaaS's provider protocol, over HTTP: `/healthz`, `/system/*`, and our `/system/watch`.
 * Not here: `/function/NAME`; the gateway speaks to the replicas themselves.
 */
import { createServer } from 'node:http';
import { type Credentials, listen } from '@postern/settings';
import type { Logger } from 'pino';
import type { Provider } from '../provider.js';
import { encodeInfo, encodeState, heartbeatMs } from '../wire.js';
import { gracefulClose } from './graceful-close.js';
import { OpenStreams } from './streams.js';
import { createSystemApp } from './system-app.js';
import { watchRoute } from './watch-route.js';

export interface ProviderServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly defaultNamespace: string;
  readonly log: Logger;
  /** Asked for on every path but `/healthz`. Without them the server serves this machine alone, and refuses what a browser's page could send. */
  readonly credentials?: Credentials | undefined;
  /** Of `/system/watch`; 5 s unless given, and known to the drivers. */
  readonly heartbeatMs?: number;
  /** How long a request may still run after `close`; 10 s unless given. */
  readonly graceMs?: number;
}

export interface ProviderServer {
  /** `http://host:port`, without a slash at the end. */
  readonly url: string;
  /** Takes nothing new, ends the streams, lets the other requests finish within the grace. Leaves the provider open. Idempotent. */
  close(): Promise<void>;
}

export async function createProviderServer(provider: Provider, options: ProviderServerOptions): Promise<ProviderServer> {
  const streams = new OpenStreams();
  const server = createServer(createSystemApp(provider, {
    ...options, streams, describe: encodeState,
    guarded: {
      '/system/info': { get: async (_request, response) => { response.json(encodeInfo(await provider.info())); } },
      '/system/watch': { get: watchRoute(provider, streams, options.heartbeatMs ?? heartbeatMs) },
    },
  }));
  // Beyond what a gateway's pool keeps a connection, so that it is never the server who hangs up on a request.
  server.keepAliveTimeout = 60_000;
  const close = gracefulClose(server);
  const url = await listen(server, options.host, options.port);
  return {
    url,
    close: async () => {
      streams.close();
      await close(options.graceMs ?? 10_000);
    },
  };
}
