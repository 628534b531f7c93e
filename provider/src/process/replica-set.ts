/**
 * The replicas of one function, and how one version of it gives way to the next: the new one's replicas start beside
 * the old, take over all at once when all of them are ready, and the old ones drain. A version that cannot start is
 * given up, and the old one serves on.
 * Not here: one replica's life (replica.ts), what is kept on disk (process-provider.ts).
 */
import { setTimeout as wait } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { parseDuration } from '@postern/settings';
import { minReplicas } from '../function-rules.js';
import type { Endpoint, FunctionSpec, FunctionState } from '../provider.js';
import type { Replica } from './replica.js';

/** Starts of a new version that may fail before it is given up. */
const failuresToGiveUp = 3;
const defaultDrainMs = 30_000;

export interface ReplicaSetOptions {
  readonly createdAt: string;
  /** Makes a replica, not started yet. */
  readonly newReplica: (spec: FunctionSpec, onChange: () => void) => Replica;
  /** From leaving the table of endpoints to SIGTERM: routers elsewhere learn of it in this time. */
  readonly drainDelayMs: number;
  readonly onState: (state: FunctionState) => void;
  /** Another version is what works now, or is being tried no longer. */
  readonly onVersion: (outcome: 'promoted' | 'given-up', reason?: string) => void;
}

interface Version {
  readonly spec: FunctionSpec;
  readonly replicas: Replica[];
}

export class ReplicaSet {
  readonly #options: ReplicaSetOptions;
  readonly #closing = new AbortController();
  readonly #leaving = new Set<Replica>();
  #serving: Version;
  #trial: Version | undefined;
  #wanted: number;
  /** Some replica of the serving version was ready once: there is something to go back to. */
  #proven: boolean;
  #failure: string | undefined;
  #state: FunctionState;
  #graceMs = Infinity;

  /** @param proven - the version is known to work, from an earlier life of the provider */
  constructor(spec: FunctionSpec, proven: boolean, options: ReplicaSetOptions) {
    this.#options = options;
    this.#wanted = minReplicas(spec);
    this.#proven = proven;
    this.#serving = { spec, replicas: [] };
    this.#state = this.#describe();
  }

  get state(): FunctionState {
    return this.#state;
  }

  /** The version that works, and the one that is tried. */
  get versions(): { readonly spec: FunctionSpec; readonly update?: FunctionSpec } {
    return { spec: this.#serving.spec, ...(this.#trial ? { update: this.#trial.spec } : {}) };
  }

  start(): void {
    this.#adjust(this.#serving);
    this.#evaluate();
  }

  /** Replicas start anew even for an equal specification: the handler's code may have changed. */
  update(spec: FunctionSpec): void {
    this.#failure = undefined;
    if (this.#trial) this.#leaveAll(this.#trial);
    this.#trial = undefined;
    const { replicas } = this.#serving;
    const idle = replicas.every(({ state }) => state.kind === 'queued');
    const equal = isDeepStrictEqual(spec, this.#serving.spec);
    this.#wanted = Math.max(this.#wanted, minReplicas(spec));
    if (equal && idle && replicas.length > 0) {
      // Nothing has read the code yet: those that wait to start will read what is there now.
      this.#adjust(this.#serving);
      this.#options.onVersion('promoted');
    } else if (!this.#proven || (equal && !replicas.some(({ state }) => state.kind === 'ready'))) {
      this.#leaveAll(this.#serving);
      this.#serving = { spec, replicas: [] };
      this.#adjust(this.#serving);
      this.#options.onVersion('promoted');
    } else {
      this.#trial = { spec, replicas: [] };
      this.#adjust(this.#trial);
    }
    this.#evaluate();
  }

  scale(replicas: number): void {
    this.#wanted = replicas;
    this.#adjust(this.#trial ?? this.#serving);
    this.#evaluate();
  }

  /**
   * Ends every replica as its function was removed: routers learn of it first, and each may drain as long as its function may run.
   * @returns their names, once nothing of them is left
   */
  async drain(): Promise<string[]> {
    const versions = this.#trial ? [this.#serving, this.#trial] : [this.#serving];
    for (const version of versions) this.#leaveAll(version);
    this.#trial = undefined;
    this.#wanted = 0;
    const all = [...this.#leaving];
    await Promise.all(all.map(({ ended }) => ended));
    return all.map(({ name }) => name);
  }

  /**
   * Ends every replica, each after what it has in hand but at most `graceMs`.
   * @returns their names, once nothing of them is left
   */
  async close(graceMs: number): Promise<string[]> {
    this.#graceMs = graceMs;
    this.#closing.abort();
    const all = [...this.#serving.replicas, ...(this.#trial?.replicas ?? []), ...this.#leaving];
    await Promise.all(all.map((replica) => replica.stop(graceMs)));
    return all.map(({ name }) => name);
  }

  /** As many replicas as wanted: more are started, or those that do least good leave. */
  #adjust(version: Version): void {
    while (version.replicas.length < this.#wanted) {
      const replica = this.#options.newReplica(version.spec, () => this.#evaluate());
      version.replicas.push(replica);
      replica.start();
    }
    while (version.replicas.length > this.#wanted) {
      const notReady = version.replicas.findLastIndex(({ state }) => state.kind !== 'ready');
      const [replica] = version.replicas.splice(notReady === -1 ? version.replicas.length - 1 : notReady, 1);
      if (replica) this.#leave(replica, version.spec);
    }
  }

  #leaveAll({ spec, replicas }: Version): void {
    for (const replica of replicas.splice(0)) this.#leave(replica, spec);
  }

  #leave(replica: Replica, spec: FunctionSpec): void {
    this.#leaving.add(replica);
    void replica.ended.then(() => this.#leaving.delete(replica));
    const stop = (): void => { void replica.stop(Math.min(drainMs(spec), this.#graceMs)); };
    if (replica.state.kind !== 'ready') stop();
    else void wait(this.#options.drainDelayMs, undefined, { signal: this.#closing.signal, ref: false }).then(stop, stop);
  }

  /** Looks at where the replicas are now; called at each change of one. */
  #evaluate(): void {
    if (this.#closing.signal.aborted) return;
    this.#proven ||= this.#serving.replicas.some(({ state }) => state.kind === 'ready');
    this.#judgeTrial();
    const state = this.#describe();
    if (isDeepStrictEqual(state, this.#state)) return;
    this.#state = state;
    this.#options.onState(state);
  }

  #judgeTrial(): void {
    const trial = this.#trial;
    if (!trial) return;
    if (trial.replicas.every(({ state }) => state.kind === 'ready')) {
      const old = this.#serving;
      this.#serving = trial;
      this.#trial = undefined;
      this.#leaveAll(old);
      this.#options.onVersion('promoted');
      return;
    }
    const hopeless = trial.replicas.find(({ state }) => state.kind === 'killing' || ('failures' in state && state.failures >= failuresToGiveUp));
    if (!hopeless) return;
    this.#failure = `the new version was given up, the one before serves on: ${reasonOf(hopeless)}`;
    this.#trial = undefined;
    this.#leaveAll(trial);
    this.#wanted = Math.max(this.#serving.replicas.length, minReplicas(this.#serving.spec));
    this.#adjust(this.#serving);
    this.#options.onVersion('given-up', this.#failure);
  }

  #describe(): FunctionState {
    const endpoints = this.#serving.replicas.flatMap((replica): Endpoint[] => (
      replica.state.kind === 'ready' ? [{ replica: replica.name, url: replica.state.url }] : []));
    const reason = this.#reason();
    return {
      spec: (this.#trial ?? this.#serving).spec,
      replicas: this.#wanted,
      endpoints,
      createdAt: this.#options.createdAt,
      ...(reason === undefined ? {} : { reason }),
    };
  }

  /** A replica that is on its way up for the first time is no reason: all is well. */
  #reason(): string | undefined {
    if (this.#failure !== undefined) return this.#failure;
    const failed = (this.#trial ?? this.#serving).replicas.find(({ state }) => state.kind !== 'ready' && 'reason' in state && state.reason !== undefined);
    if (!failed) return undefined;
    return this.#trial ? `the new version does not start yet, the one before serves until it does: ${reasonOf(failed)}` : reasonOf(failed);
  }
}

function reasonOf({ name, state }: Replica): string {
  return 'reason' in state && state.reason !== undefined ? `${name} ${state.reason}` : `${name} did not become ready in time`;
}

/** A function that may run for long may drain for as long; the watchdog ends earlier where nothing runs. */
function drainMs({ envVars }: FunctionSpec): number {
  const timeouts = [envVars['write_timeout'], envVars['exec_timeout']].map((text) => parseDuration(text ?? '') ?? 0);
  return Math.max(defaultDrainMs, ...timeouts) + 1_000;
}
