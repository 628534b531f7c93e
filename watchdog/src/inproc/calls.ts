/**
 * The calls that are running, and to which of them the code now executing belongs. A call's context follows its
 * promises, timers and callbacks, so that an error nobody caught can be laid at the right call's door.
 * Not here: what becomes of such an error (crash.ts).
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';

/** One call, from the handler's start until its response is closed. */
export interface Call {
  /** '' when it has none. */
  readonly id: string;
  readonly response: ServerResponse;
}

export class RunningCalls {
  readonly #running = new Set<Call>();
  readonly #context = new AsyncLocalStorage<Call>();
  #whenIdle: (() => void)[] = [];

  get size(): number {
    return this.#running.size;
  }

  add(call: Call): void {
    this.#running.add(call);
  }

  remove(call: Call): void {
    this.#running.delete(call);
    if (this.#running.size > 0) return;
    for (const resolve of this.#whenIdle) resolve();
    this.#whenIdle = [];
  }

  /** Runs `work`, and all it sets going, as part of the call. */
  run<T>(call: Call, work: () => T): T {
    return this.#context.run(call, work);
  }

  /** The call whose code is executing; undefined between calls. */
  current(): Call | undefined {
    return this.#context.getStore();
  }

  /** Resolves once no call is running. */
  idle(): Promise<void> {
    return this.#running.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /**
   * Makes the emitter's listeners part of the call. Node runs the events of a request and its response in the
   * connection's context, which outlives calls.
   */
  own(call: Call, emitter: EventEmitter): void {
    const emit = emitter.emit.bind(emitter);
    emitter.emit = (name: string | symbol, ...args: unknown[]) => this.#context.run(call, () => emit(name, ...args));
  }
}
