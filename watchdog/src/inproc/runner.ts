/**
 * inproc mode: the handler is loaded into this process and called directly, one HTTP hop for a call.
 * Here: its life, and what surrounds each call. Not here: loading (load-handler.ts), what a handler of each `lang` is
 * (node-handler.ts, web/, event/), uncaught errors (crash.ts), a blocked event loop (monitor.ts).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { exitNow } from '../exit.js';
import { answerStopped, answerUnavailable } from '../own-answer.js';
import { ReadinessState } from '../readiness.js';
import { ExecTimeout, type Invocation, type Runner, type StopReason } from '../runner.js';
import type { InprocLang, Settings } from '../settings.js';
import { WrongExport, answerFailed, ignoreFrom, logFailure, type Prepared } from './answer.js';
import { RunningCalls, type Call } from './calls.js';
import { watchForCrashes, type CrashWatch } from './crash.js';
import { HandlerUnloadable, loadHandler, type LoadedHandler } from './load-handler.js';
import { Monitor } from './monitor.js';

export type InprocSettings = Pick<Settings, 'lang' | 'handler' | 'execTimeoutMs' | 'environment'>;

/** Past the deadline: the loop may be in the middle of something short, an answer on its way out. */
const graceMs = 1_000;
/** How long a process that has crashed waits for its other calls when exec_timeout sets no limit. */
const longestWaitMs = 60_000;

/** @throws nothing; what is wrong with the handler or the settings, `start` says. */
export function createInprocRunner(settings: InprocSettings): Runner {
  return new InprocRunner(settings);
}

class InprocRunner implements Runner {
  readonly #settings: InprocSettings;
  readonly #calls = new RunningCalls();
  readonly #readiness = new ReadinessState();
  readonly #undo: (() => unknown)[] = [];
  #prepared: Prepared | undefined;
  #monitor: Monitor | undefined;

  constructor(settings: InprocSettings) {
    this.#settings = settings;
  }

  async start(): Promise<void> {
    const { lang, handler, execTimeoutMs, environment } = this.#settings;
    const parentPid = process.connected ? process.ppid : 0;
    if (execTimeoutMs > 0 || parentPid !== 0) {
      const blockedLimitMs = withGrace(execTimeoutMs);
      const monitor = this.#monitor = new Monitor({ blockedLimitMs, parentPid });
      this.#undo.push(() => monitor.stop());
    }
    const adapter = await openAdapter(lang, environment, this.#calls);
    this.#undo.push(adapter.close);
    const prepared = this.#prepared = await prepare(adapter, await loadHandler(handler));
    this.#undo.push(() => prepared.close());
    const watch = this.#watchForCrashes();
    this.#undo.push(() => watch.stop());
    this.#monitor?.arm();
    this.#readiness.become({ ready: true });
  }

  readonly onReadiness = this.#readiness.onChange;

  async handle(request: IncomingMessage, response: ServerResponse, invocation: Invocation): Promise<void> {
    const { callId } = invocation;
    const prepared = this.#prepared;
    if (prepared === undefined) {
      answerUnavailable(response, 'function_unavailable', 'the function is not ready');
      return;
    }
    const call: Call = { id: callId, response };
    const slot = this.#monitor?.enter(callId) ?? -1;
    this.#calls.begin();
    invocation.onAbort((reason) => this.#stop(call, reason));
    await new Promise<void>((resolve) => {
      response.once('close', resolve);
      void this.#calls.run(call, async () => {
        try {
          await prepared.answer(request, response, invocation, call);
        } catch (error) {
          answerFailed(call, error);
        }
      });
    });
    this.#calls.end();
    this.#monitor?.leave(slot);
  }

  async stop(): Promise<void> {
    this.#readiness.become({ ready: false, reason: 'the watchdog is stopping' });
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) await undo();
  }

  #stop({ id, response }: Call, reason: StopReason): void {
    if (reason instanceof ExecTimeout && !response.writableEnded) logFailure('the call was ended', id, reason.message);
    answerStopped(response, reason);
    ignoreFrom(response);
  }

  #watchForCrashes(): CrashWatch {
    return watchForCrashes(this.#calls, {
      limitMs: withGrace(this.#settings.execTimeoutMs) || longestWaitMs,
      onFirst: (reason) => this.#readiness.become({ ready: false, reason, final: true }),
      // A turn later, so that the last call's line is in the log.
      end: (code) => setImmediate(() => exitNow(code)),
    });
  }
}

/** 0 stays 0: no limit. */
function withGrace(limitMs: number): number {
  return limitMs === 0 ? 0 : limitMs + graceMs;
}

interface Adapter {
  prepare(exported: unknown): Prepared | Promise<Prepared>;
  close(): void;
}

/** Imports what one `lang` needs and no other, before the handler itself is loaded. */
async function openAdapter(lang: InprocLang, environment: NodeJS.ProcessEnv, calls: RunningCalls): Promise<Adapter> {
  switch (lang) {
    case 'node': {
      const { prepareNodeHandler } = await import('./node-handler.js');
      return { prepare: (exported) => prepareNodeHandler(exported, calls), close() {} };
    }
    case 'web': {
      const { installWebClasses, prepareWebHandler } = await import('./web/web-handler.js');
      return { prepare: prepareWebHandler, close: installWebClasses() };
    }
    case 'node18': case 'node20': case 'node22': {
      const [{ prepareEventHandler }, { readBodySettings }] = await Promise.all([
        import('./event/event-handler.js'), import('./event/event-settings.js'),
      ]);
      const settings = readBodySettings(environment);
      return { prepare: (exported) => prepareEventHandler(exported, settings), close() {} };
    }
  }
}

async function prepare(adapter: Adapter, { file, exported }: LoadedHandler): Promise<Prepared> {
  try {
    return await adapter.prepare(exported);
  } catch (error) {
    if (error instanceof WrongExport) throw new HandlerUnloadable(`${file}: ${error.message}`, { cause: error });
    throw error;
  }
}
