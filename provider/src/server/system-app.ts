/**
 * OpenFaaS's `/healthz` and `/system/*` over any provider: the gateway serves its users the same protocol that it speaks
 * to a provider elsewhere. Each adds routes of its own.
 */
import type { Credentials } from '@postern/settings';
import express, { type Express, type RequestHandler } from 'express';
import type { Logger } from 'pino';
import { requireBasicAuth } from '../basic-auth.js';
import { browserGuard } from '../browser-guard.js';
import { answerError } from '../http-answer.js';
import { listNamespaces } from '../namespaces.js';
import type { FunctionState, Provider } from '../provider.js';
import { errorAnswer } from './error-status.js';
import { functionRoutes } from './function-routes.js';
import { logsRoute } from './logs-route.js';
import type { OpenStreams } from './streams.js';

/** Handlers by path and method; a path's other methods get a 405 that names these. */
export type Routes = Readonly<Record<string, Partial<Record<'get' | 'head' | 'post' | 'put' | 'delete', RequestHandler>>>>;

export interface SystemAppOptions {
  readonly defaultNamespace: string;
  readonly log: Logger;
  /** Ended by whoever owns the server. */
  readonly streams: OpenStreams;
  /** Asked for on every path but `/healthz`. Without them the app serves this machine alone, and refuses what a browser's page could send. */
  readonly credentials?: Credentials | undefined;
  /** Routes of the server's own, under the same guard. */
  readonly guarded: Routes;
  /** A function's state as this server's clients read it. */
  readonly describe: (state: FunctionState) => object;
}

/** A FunctionDeployment holds environment variables, so it may be long; it holds no code. */
const maxBodyBytes = 1024 * 1024;

export function createSystemApp(provider: Provider, options: SystemAppOptions): Express {
  const { defaultNamespace, credentials, streams, log } = options;
  const app = express().disable('x-powered-by').disable('etag').enable('case sensitive routing');
  const functions = functionRoutes(provider, defaultNamespace, options.describe);
  const healthy: RequestHandler = (_request, response) => { response.type('text/plain').send('OK'); };

  serve(app, { '/healthz': { get: healthy, head: healthy } });
  app.use(credentials === undefined ? browserGuard : requireBasicAuth(credentials));
  // OpenFaaS's clients often leave out the content type.
  app.use(express.json({ type: () => true, limit: maxBodyBytes }));
  serve(app, {
    '/system/functions': { get: functions.list, post: functions.deploy, put: functions.update, delete: functions.remove },
    '/system/function/:name': { get: functions.get },
    '/system/scale-function/:name': { post: functions.scale },
    '/system/namespaces': { get: async (_request, response) => { response.json(await listNamespaces(provider, defaultNamespace)); } },
    '/system/logs': { get: logsRoute(provider, streams, defaultNamespace) },
    ...options.guarded,
  });
  app.use((request, response) => {
    answerError(response, 404, 'not_found', `there is no ${request.path} here`);
  });
  app.use(errorAnswer(log));
  return app;
}

function serve(app: Express, routes: Routes): void {
  for (const [path, handlers] of Object.entries(routes)) {
    const methods = new Map(Object.entries(handlers).map(([method, handler]) => [method.toUpperCase(), handler]));
    const allow = [...methods.keys()].join(', ');
    app.all(path, (request, response, next) => {
      const handler = methods.get(request.method);
      if (handler !== undefined) return handler(request, response, next);
      response.setHeader('Allow', allow);
      answerError(response, 405, 'method_not_allowed', `${request.path} takes ${allow}`);
    });
  }
}
