/**
 * A provider that runs nothing: functions are entries of a map, and the test says what their replicas and logs are.
 * For tests of whatever stands on the port; it fulfils the port's contract like any driver.
 */
import { EventEmitter, on } from 'node:events';
import { FunctionExists, FunctionNotFound } from '../errors.js';
import {
  functionKey, type Endpoint, type FunctionEvent, type FunctionRef, type FunctionSpec, type FunctionState,
  type LogLine, type LogQuery, type Provider, type ProviderInfo,
} from '../provider.js';

export class MemoryProvider implements Provider {
  readonly #functions = new Map<string, FunctionState>();
  readonly #listeners = new Set<(event: FunctionEvent) => void>();
  readonly #lines: LogLine[] = [];
  readonly #logged = new EventEmitter<{ line: [LogLine] }>().setMaxListeners(0);

  /** The replicas that are ready from now on, and why others are missing. */
  setEndpoints(ref: FunctionRef, endpoints: readonly Endpoint[], reason?: string): void {
    const { reason: _before, ...state } = this.#known(ref);
    this.#put({ ...state, endpoints, ...(reason === undefined ? {} : { reason }) });
  }

  /** A replica wrote a line. */
  write(line: LogLine): void {
    this.#lines.push(line);
    this.#logged.emit('line', line);
  }

  get watchers(): number {
    return this.#listeners.size;
  }

  get followers(): number {
    return this.#logged.listenerCount('line');
  }

  async deploy(spec: FunctionSpec): Promise<void> {
    if (this.#functions.has(functionKey(spec))) throw new FunctionExists(`there is a function ${functionKey(spec)} already`);
    this.#put({ spec, replicas: 1, endpoints: [], createdAt: new Date().toISOString() });
  }

  async update(spec: FunctionSpec): Promise<void> {
    this.#put({ ...this.#known(spec), spec });
  }

  async remove({ name, namespace }: FunctionRef): Promise<void> {
    const ref = { name, namespace };
    this.#known(ref);
    this.#functions.delete(functionKey(ref));
    this.#tell({ kind: 'removed', ref });
  }

  async scale(ref: FunctionRef, replicas: number): Promise<void> {
    this.#put({ ...this.#known(ref), replicas });
  }

  async list(namespace: string): Promise<readonly FunctionState[]> {
    return [...this.#functions.values()].filter((state) => state.spec.namespace === namespace);
  }

  async get(ref: FunctionRef): Promise<FunctionState | undefined> {
    return this.#functions.get(functionKey(ref));
  }

  watch(listener: (event: FunctionEvent) => void): () => void {
    const own: typeof listener = (event) => listener(event);
    this.#listeners.add(own);
    const states = [...this.#functions.values()];
    for (const state of states) own({ kind: 'changed', state });
    own({ kind: 'synced', refs: states.map(({ spec: { name, namespace } }) => ({ name, namespace })) });
    return () => { this.#listeners.delete(own); };
  }

  async logs(query: LogQuery): Promise<AsyncIterable<LogLine>> {
    this.#known(query);
    return this.#read(query);
  }

  async *#read({ tail, follow, signal, ...query }: LogQuery): AsyncGenerator<LogLine> {
    const wanted = (line: LogLine): boolean => line.name === query.name && line.namespace === query.namespace
      && (query.instance === undefined || line.instance === query.instance)
      && (query.since === undefined || Date.parse(line.timestamp) >= query.since.getTime());
    // Listening before reading, so that no line falls between the two.
    const coming = follow && !signal.aborted ? on(this.#logged, 'line', { signal }) : undefined;
    const kept = this.#lines.filter(wanted);
    yield* tail === undefined ? kept : kept.slice(Math.max(kept.length - tail, 0));
    if (coming === undefined) return;
    try {
      for await (const [line] of coming) if (wanted(line)) yield line;
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async info(): Promise<ProviderInfo> {
    return { provider: 'postern-memory', orchestration: 'memory', version: '0.0.0' };
  }

  async close(): Promise<void> {
    this.#listeners.clear();
  }

  #known(ref: FunctionRef): FunctionState {
    const state = this.#functions.get(functionKey(ref));
    if (state === undefined) throw new FunctionNotFound(`no function ${ref.name} in the namespace ${ref.namespace}`);
    return state;
  }

  #put(state: FunctionState): void {
    this.#functions.set(functionKey(state.spec), state);
    this.#tell({ kind: 'changed', state });
  }

  #tell(event: FunctionEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
