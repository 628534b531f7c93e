/** For tests: the real server around a runner that the test writes. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import type { TestContext } from 'node:test';
import { Log } from '../log.js';
import { Metrics } from '../metrics.js';
import type { Invocation, Runner } from '../runner.js';
import { FunctionServer, type ServerSettings } from '../server.js';

type Handle = (request: IncomingMessage, response: ServerResponse, invocation: Invocation) => void | Promise<void>;

/** The defaults, without limits. */
const unlimited: ServerSettings = {
  readTimeoutMs: 30_000, writeTimeoutMs: 30_000, execTimeoutMs: 30_000, maxInflight: 0, readyPath: '', lameDuckMs: 0,
};

/** A runner that is ready and answers with `handle`. */
export function runnerOf(handle: Handle): Runner {
  return {
    start: async () => undefined,
    handle: async (request, response, invocation) => handle(request, response, invocation),
    onReadiness: (listener) => listener({ ready: true }),
    stop: async () => undefined,
  };
}

/** Serves the runner until the test ends. */
export async function serve(t: TestContext, runner: Runner, settings: Partial<ServerSettings> = {}): Promise<{ server: FunctionServer; url: string; log: () => string }> {
  const out = new PassThrough();
  let log = '';
  out.setEncoding('utf8').on('data', (text: string) => { log += text; });
  const server: FunctionServer = new FunctionServer({ ...unlimited, ...settings }, runner, new Metrics(() => server.inFlight), new Log(out, out, false));
  const url = await server.listen(0, '127.0.0.1');
  runner.onReadiness((readiness) => server.setReadiness(readiness));
  await runner.start();
  t.after(async () => {
    await runner.stop();
    server.close();
  });
  return { server, url, log: () => log };
}
