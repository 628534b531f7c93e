/**
 * The functions that exist and their live replicas, kept true by the provider's watch: a lookup is one Map read, and who
 * waits for a replica is woken by the change itself.
 * Not here: sending a request to a replica (exchange.ts).
 */
import type { FunctionEvent, FunctionRef, FunctionState, Provider } from '@postern/provider';
import { functionKey } from '@postern/provider';
import { type Lane, laneOf } from '@postern/queue';
import { Pool } from 'undici';
import type { FunctionMetrics, GatewayMetrics } from './metrics.js';

/** One replica as the router sees it. */
export interface Target {
  readonly replica: string;
  readonly url: string;
  readonly pool: Pool;
  inFlight: number;
}

/** A function that is deployed. */
export class FunctionEntry {
  readonly ref: FunctionRef;
  readonly metrics: FunctionMetrics;
  lane: Lane;
  removed = false;
  #state: FunctionState;
  #targets: Target[] = [];
  #first = 0;
  readonly #waiting = new Set<() => void>();

  constructor(state: FunctionState, metrics: FunctionMetrics) {
    this.ref = { name: state.spec.name, namespace: state.spec.namespace };
    this.metrics = metrics;
    this.#state = state;
    this.lane = laneOf(state.spec);
    this.apply(state);
  }

  get state(): FunctionState {
    return this.#state;
  }

  /** Takes over a new state: pools of replicas that are gone finish what they run, then close. */
  apply(state: FunctionState): void {
    this.#state = state;
    this.lane = laneOf(state.spec);
    const gone = new Map(this.#targets.map((target) => [`${target.replica} ${target.url}`, target]));
    this.#targets = state.endpoints.map(({ replica, url }) => {
      const key = `${replica} ${url}`;
      const known = gone.get(key);
      gone.delete(key);
      return known ?? { replica, url, pool: openPool(url), inFlight: 0 };
    });
    for (const target of gone.values()) retire(target);
    this.#wake();
  }

  remove(): void {
    this.removed = true;
    for (const target of this.#targets) retire(target);
    this.#targets = [];
    this.#wake();
  }

  /**
   * The replica with the fewest requests in flight; among equals they take turns.
   * @param except - replicas that have just refused this request
   */
  pick(except: ReadonlySet<Target> | undefined): Target | undefined {
    const targets = this.#targets;
    let best: Target | undefined;
    for (let i = 0; i < targets.length; i++) {
      const target = targets[(this.#first + i) % targets.length];
      if (target === undefined || except?.has(target)) continue;
      if (best === undefined || target.inFlight < best.inFlight) best = target;
    }
    this.#first = targets.length === 0 ? 0 : (this.#first + 1) % targets.length;
    return best;
  }

  /** Calls back once, at the next change of this function. @returns forgets the wish */
  onceChanged(listener: () => void): () => void {
    this.#waiting.add(listener);
    return () => { this.#waiting.delete(listener); };
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const listener of waiting) listener();
  }
}

export class FunctionTable {
  /** False until the provider has told every function it has. */
  synced = false;
  readonly #entries = new Map<string, FunctionEntry>();
  readonly #metrics: GatewayMetrics;
  readonly #unwatch: () => void;

  constructor(provider: Provider, metrics: GatewayMetrics) {
    this.#metrics = metrics;
    this.#unwatch = provider.watch((event) => { this.#take(event); });
  }

  /** @param key - `name.namespace` */
  get(key: string): FunctionEntry | undefined {
    return this.#entries.get(key);
  }

  values(): Iterable<FunctionEntry> {
    return this.#entries.values();
  }

  close(): void {
    this.#unwatch();
    for (const entry of this.#entries.values()) entry.remove();
    this.#entries.clear();
  }

  #take(event: FunctionEvent): void {
    switch (event.kind) {
      case 'changed': {
        const key = functionKey(event.state.spec);
        const entry = this.#entries.get(key);
        if (entry) entry.apply(event.state);
        else this.#entries.set(key, new FunctionEntry(event.state, this.#metrics.forFunction(key)));
        break;
      }
      case 'removed':
        this.#remove(functionKey(event.ref));
        break;
      case 'synced': {
        const known = new Set(event.refs.map(functionKey));
        for (const key of this.#entries.keys()) if (!known.has(key)) this.#remove(key);
        this.synced = true;
      }
    }
  }

  #remove(key: string): void {
    this.#entries.get(key)?.remove();
    this.#entries.delete(key);
    this.#metrics.forget(key);
  }
}

/** As much as the watchdog lets a function answer with. */
export const maxAnswerHeaderBytes = 1_024 * 1_024;

/** Deadlines are the exchange's own; undici's idle limit stays below the watchdog's, so that no request meets a closing socket. */
function openPool(url: string): Pool {
  return new Pool(url, { headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 10_000, keepAliveMaxTimeout: 30_000, maxHeaderSize: maxAnswerHeaderBytes, connect: { timeout: 5_000 } });
}

function retire(target: Target): void {
  target.pool.close().catch(() => { /* closed twice: it is what we wanted */ });
}
