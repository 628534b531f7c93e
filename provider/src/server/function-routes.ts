/** The provider protocol's requests that read or change functions: one handler each, named for what it does. */
import type { Request, RequestHandler } from 'express';
import { z } from 'zod';
import { parseFunctionSpec } from '../deployment.js';
import { FunctionNotFound } from '../errors.js';
import type { FunctionRef, FunctionState, Provider } from '../provider.js';
import { BadRequest } from './error-status.js';

const namespaceText = z.string({ error: 'namespace: expected one namespace' }).nullish();
const deletion = z.object({ functionName: z.string().min(1), namespace: namespaceText }, { error: 'expected {"functionName": …, "namespace": …}' });
const scaling = z.object({ replicas: z.int().min(0), namespace: namespaceText }, { error: 'expected {"serviceName": …, "replicas": …, "namespace": …}' });

export interface FunctionRoutes {
  readonly list: RequestHandler;
  readonly deploy: RequestHandler;
  readonly update: RequestHandler;
  readonly remove: RequestHandler;
  readonly get: RequestHandler;
  readonly scale: RequestHandler;
}

/**
 * Clients put the namespace into the query, the body or nowhere; the body wins.
 * @param describe - a function's state as the server's clients read it
 */
export function functionRoutes(provider: Provider, defaultNamespace: string, describe: (state: FunctionState) => object): FunctionRoutes {
  const namespaceOf = (request: Request, inBody?: string | null): string =>
    inBody || parse(namespaceText, request.query['namespace']) || defaultNamespace;
  const pathRef = (request: Request, inBody?: string | null): FunctionRef => (
    { name: String(request.params['name']), namespace: namespaceOf(request, inBody) }
  );

  return {
    list: async (request, response) => {
      const states = await provider.list(namespaceOf(request));
      response.json(states.map(describe));
    },
    deploy: async (request, response) => {
      await provider.deploy(parseFunctionSpec(request.body, namespaceOf(request)));
      response.status(202).end();
    },
    update: async (request, response) => {
      await provider.update(parseFunctionSpec(request.body, namespaceOf(request)));
      response.status(202).end();
    },
    remove: async (request, response) => {
      const { functionName, namespace } = parse(deletion, request.body);
      await provider.remove({ name: functionName, namespace: namespaceOf(request, namespace) });
      response.status(202).end();
    },
    get: async (request, response) => {
      const ref = pathRef(request);
      const state = await provider.get(ref);
      if (state === undefined) throw new FunctionNotFound(`no function ${ref.name} in the namespace ${ref.namespace}`);
      response.json(describe(state));
    },
    scale: async (request, response) => {
      const { replicas, namespace } = parse(scaling, request.body);
      await provider.scale(pathRef(request, namespace), replicas);
      response.status(202).end();
    },
  };
}

/** @throws {BadRequest} */
function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new BadRequest(parsed.error.issues.map((issue) => [...issue.path, issue.message].join(': ')).join('; '));
}
