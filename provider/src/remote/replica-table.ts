/**
 * The last that is known of every function, kept for the listeners of a remote provider: whoever comes late is told
 * what the others know, and while the provider is away all of it stays in force. Pure bookkeeping.
 * Not here: the stream that fills it (watch-stream.ts).
 */
import { functionKey, type FunctionEvent, type FunctionState } from '../provider.js';

type Listener = (event: FunctionEvent) => void;

export class ReplicaTable {
  readonly #states = new Map<string, FunctionState>();
  readonly #listeners = new Set<Listener>();
  #synced = false;

  get watched(): boolean {
    return this.#listeners.size > 0;
  }

  /** Tells it what is known: all of it, if a snapshot was ever complete. */
  add(listener: Listener): void {
    this.#listeners.add(listener);
    for (const state of this.#states.values()) listener({ kind: 'changed', state });
    if (this.#synced) listener({ kind: 'synced', refs: [...this.#states.values()].map(({ spec: { name, namespace } }) => ({ name, namespace })) });
  }

  delete(listener: Listener): void {
    this.#listeners.delete(listener);
  }

  apply(event: FunctionEvent): void {
    switch (event.kind) {
      case 'changed':
        this.#states.set(functionKey(event.state.spec), event.state);
        break;
      case 'removed':
        this.#states.delete(functionKey(event.ref));
        break;
      case 'synced': {
        const known = new Set(event.refs.map(functionKey));
        for (const key of this.#states.keys()) if (!known.has(key)) this.#states.delete(key);
        this.#synced = true;
        break;
      }
    }
    for (const listener of this.#listeners) listener(event);
  }

  /** Forgets what is known, for nobody keeps it true any longer. */
  clear(): void {
    this.#states.clear();
    this.#synced = false;
  }
}
