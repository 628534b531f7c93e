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
  #running = 0;
  readonly #context = new AsyncLocalStorage<Call>();
  #whenIdle: (() => void)[] = [];
  /** The last error that left a listener, and the call it was working for. */
  #thrown: { readonly error: unknown; readonly call: Call } | undefined;

  begin(): void {
    this.#running++;
  }

  end(): void {
    if (--this.#running > 0) return;
    for (const resolve of this.#whenIdle) resolve();
    this.#whenIdle = [];
  }

  /** Runs `work`, and all it sets going, as part of the call. */
  run<T>(call: Call, work: () => T): T {
    return this.#context.run(call, work);
  }

  /** The call that the code now executing works for; undefined when it works for none. */
  get current(): Call | undefined {
    return this.#context.getStore();
  }

  /** The call an uncaught error belongs to, asked while it is being reported; undefined when it belongs to none. */
  ownerOf(error: unknown): Call | undefined {
    return this.#thrown !== undefined && this.#thrown.error === error ? this.#thrown.call : this.current;
  }

  /** Resolves once no call is running. */
  idle(): Promise<void> {
    return this.#running === 0 ? Promise.resolve() : new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /**
   * Makes the emitter's listeners part of the call. Node runs the events of a request and its response in the
   * connection's context, which outlives calls.
   */
  own(call: Call, emitter: EventEmitter): void {
    const emit = emitter.emit.bind(emitter);
    emitter.emit = (name: string | symbol, ...args: unknown[]) => {
      if (this.current === call) return emit(name, ...args);
      try {
        return this.#context.run(call, () => emit(name, ...args));
      } catch (error) {
        // The context is left before the error is reported.
        this.#thrown = { error, call };
        throw error;
      }
    };
  }
}
