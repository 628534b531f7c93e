/**
 * `lang=node`: the handler is a `node:http` listener (an Express app is one) or an app with Fastify's two doors.
 */
import type { Prepared } from './answer.js';
import { WrongExport, logFailure } from './answer.js';
import type { RunningCalls } from './calls.js';
import type { NodeHandler, RoutingApp } from './handler-types.js';

/** @throws {WrongExport} */
export async function prepareNodeHandler(exported: unknown, calls: RunningCalls): Promise<Prepared> {
  const app = isRoutingApp(exported) ? exported : undefined;
  await app?.ready();
  const handler = app?.routing ?? exported;
  if (!isHandler(handler)) {
    throw new WrongExport('exports no handler; expected `export default (req, res) => …` or `module.exports = (req, res) => …`');
  }
  return {
    answer(request, response, _invocation, call) {
      calls.own(call, request);
      calls.own(call, response);
      // Without a listener a write after the end would be an uncaught error.
      response.on('error', (error) => logFailure('the handler wrote after its answer', call.id, error));
      return handler(request, response);
    },
    async close() {
      await app?.close?.();
    },
  };
}

function isHandler(value: unknown): value is NodeHandler {
  return typeof value === 'function';
}

function isRoutingApp(value: unknown): value is RoutingApp {
  return (typeof value === 'object' || typeof value === 'function') && value !== null
    && 'ready' in value && typeof value.ready === 'function'
    && 'routing' in value && typeof value.routing === 'function';
}
