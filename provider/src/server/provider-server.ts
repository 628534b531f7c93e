/**
 * Any provider by OpenFaaS's provider protocol, over HTTP: `/healthz`, `/system/*`, and our `/system/watch`.
 * Not here: `/function/NAME`; the gateway speaks to the replicas themselves.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Express, type RequestHandler } from 'express';
import type { Logger } from 'pino';
import { requireBasicAuth, type Credentials } from '../basic-auth.js';
import { browserGuard } from '../browser-guard.js';
import { answerError } from '../http-answer.js';
import { listNamespaces } from '../namespaces.js';
import type { Provider } from '../provider.js';
import { encodeInfo, heartbeatMs } from '../wire.js';
import { errorAnswer } from './error-status.js';
import { functionRoutes } from './function-routes.js';
import { logsRoute } from './logs-route.js';
import { OpenStreams } from './streams.js';
import { watchRoute } from './watch-route.js';

export interface ProviderServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly defaultNamespace: string;
  readonly log: Logger;
  /** Asked for on every path but `/healthz`. Without them the server refuses what a browser's page could send. */
  readonly credentials?: Credentials | undefined;
  /** Names besides `host` and the loopback ones under which the server is reached, when there are no credentials. */
  readonly allowedHosts?: readonly string[];
  readonly heartbeatMs?: number;
}

export interface ProviderServer {
  /** `http://host:port`, without a slash at the end. */
  readonly url: string;
  /** Takes nothing new, ends the streams, lets the other requests finish. Leaves the provider open. Idempotent. */
  close(): Promise<void>;
}

/** A FunctionDeployment holds environment variables, so it may be long; it holds no code. */
const maxBodyBytes = 1024 * 1024;
/** How long a request may still run after `close`. */
const graceMs = 10_000;

export async function createProviderServer(provider: Provider, options: ProviderServerOptions): Promise<ProviderServer> {
  const streams = new OpenStreams();
  const server = createServer(providerApp(provider, streams, options));
  // Beyond what a gateway's pool keeps a connection, so that it is never the server who hangs up on a request.
  server.keepAliveTimeout = 60_000;
  let closing = false;
  server.on('request', (request, response) => {
    // server.close() ends the connections that are idle then, and leaves those that become so later.
    response.once('close', () => { if (closing) request.socket.end(); });
  });
  await listen(server, options.host, options.port);
  const closed = new Promise<void>((resolve) => server.once('close', resolve));
  return {
    url: urlOf(server, options.host),
    close: async () => {
      closing = true;
      streams.close();
      server.close();
      const cut = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(cut);
    },
  };
}

function providerApp(provider: Provider, streams: OpenStreams, options: ProviderServerOptions): Express {
  const { defaultNamespace, credentials, host, allowedHosts = [], log } = options;
  const app = express().disable('x-powered-by').disable('etag').enable('case sensitive routing');
  const functions = functionRoutes(provider, defaultNamespace);
  const healthy: RequestHandler = (_request, response) => { response.type('text/plain').send('OK'); };

  serve(app, '/healthz', { get: healthy, head: healthy });
  app.use(credentials === undefined ? browserGuard([host, ...allowedHosts]) : requireBasicAuth(credentials));
  // OpenFaaS's clients often leave out the content type.
  app.use(express.json({ type: () => true, limit: maxBodyBytes }));
  serve(app, '/system/functions', {
    get: functions.list, post: functions.deploy, put: functions.update, delete: functions.remove,
  });
  serve(app, '/system/function/:name', { get: functions.get });
  serve(app, '/system/scale-function/:name', { post: functions.scale });
  serve(app, '/system/info', {
    get: async (_request, response) => { response.json(encodeInfo(await provider.info())); },
  });
  serve(app, '/system/namespaces', {
    get: async (_request, response) => { response.json(await listNamespaces(provider, defaultNamespace)); },
  });
  serve(app, '/system/logs', { get: logsRoute(provider, streams, defaultNamespace) });
  serve(app, '/system/watch', { get: watchRoute(provider, streams, options.heartbeatMs ?? heartbeatMs) });
  app.use((request, response) => {
    answerError(response, 404, 'not_found', `the provider has no ${request.path}`);
  });
  app.use(errorAnswer(log));
  return app;
}

/** Serves these methods of a path, and answers the others with a 405 that names these. */
function serve(app: Express, path: string, handlers: Partial<Record<'get' | 'head' | 'post' | 'put' | 'delete', RequestHandler>>): void {
  const methods = new Map(Object.entries(handlers).map(([method, handler]) => [method.toUpperCase(), handler]));
  const allow = [...methods.keys()].join(', ');
  app.all(path, (request, response, next) => {
    const handler = methods.get(request.method);
    if (handler !== undefined) return handler(request, response, next);
    response.setHeader('Allow', allow);
    answerError(response, 405, 'method_not_allowed', `${request.path} takes ${allow}`);
  });
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function urlOf(server: Server, host: string): string {
  // A server that listens on a TCP port has an address of this type.
  const { port } = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
