/** http mode: one child process that is an HTTP server, and every call passed on to it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Pool } from 'undici';
import type { OrphanGuard } from '../guard.js';
import type { Log } from '../log.js';
import { answerUnavailable } from '../own-answer.js';
import { ReadinessState } from '../readiness.js';
import type { Invocation, Runner } from '../runner.js';
import type { Settings } from '../settings.js';
import { Child } from './child.js';
import { passOn } from './exchange.js';
import { basePathOf } from './probe.js';

/** Shorter than the servers of functions keep an idle connection, so that no call meets a closing one. */
const idleConnectionMs = 500;

/** @param settings - of http mode: a command, and perhaps where it listens */
export function createHttpRunner(settings: Settings, guard: OrphanGuard, log: Log): Runner {
  // undici takes long to load, and the child to boot: at the same time.
  const loading = import('undici');
  const readiness = new ReadinessState();
  let upstream: { readonly pool: Pool; readonly basePath: string } | undefined;

  const disconnect = async (): Promise<void> => {
    const before = upstream;
    upstream = undefined;
    await before?.pool.destroy();
  };
  const child = new Child(settings, guard, log, {
    async up(url, died) {
      const { Pool } = await loading;
      if (died.aborted) return;
      const pool = new Pool(url.origin, { keepAliveTimeout: idleConnectionMs, maxHeaderSize: 1 << 20, connect: { timeout: 2_000 } });
      upstream = { pool, basePath: basePathOf(url) };
      readiness.become({ ready: true });
    },
    down: (next) => {
      readiness.become(next);
      void disconnect();
    },
  });

  return {
    start: () => child.start(),
    async handle(request: IncomingMessage, response: ServerResponse, invocation: Invocation) {
      if (upstream !== undefined) await passOn(request, response, invocation, upstream, { bufferBody: settings.bufferBody, log });
      else answerUnavailable(response, 'function_unavailable', "the function's process has just ended");
    },
    onReadiness: readiness.onChange,
    async stop() {
      await child.stop();
      await disconnect();
    },
  };
}
