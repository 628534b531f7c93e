/**
 * The replicas of one function, and how one version of it gives way to the next: the new one's replicas start beside
 * the old, take over all at once when all of them have been ready for a moment, and the old ones drain. A version that
 * cannot start, or stay up that long, is given up, and the old one serves on.
 * Not here: one replica's life (replica.ts), what is kept on disk (process-provider.ts).
 */
import { setTimeout as wait } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { parseDuration } from '@postern/settings';
import { minReplicas } from '../function-rules.js';
import type { Endpoint, FunctionSpec, FunctionState } from '../provider.js';
import type { Failed, Replica } from './replica.js';
import type { StoredFunction } from './spec-store.js';

/** Starts of a new version that may fail before it is given up. */
const failuresToGiveUp = 3;
const defaultDrainMs = 30_000;

export interface ReplicaSetOptions {
  readonly createdAt: string;
  /** Makes a replica, not started yet. `after`: the one whose place it takes */
  readonly newReplica: (spec: FunctionSpec, onChange: () => void, after?: Failed) => Replica;
  /** From leaving the table of endpoints to SIGTERM: routers elsewhere learn of it in this time. */
  readonly drainDelayMs: number;
  /** How long the replicas of a new version must stay ready before they serve. */
  readonly settleMs: number;
  readonly onState: (state: FunctionState) => void;
  /** Another version is what works now, or is being tried no longer. */
  readonly onVersion: (outcome: 'promoted' | 'given-up', reason?: string) => void;
}

interface Version {
  readonly spec: FunctionSpec;
  readonly replicas: Replica[];
  wanted: number;
  /** Some replica of it was ready once: there is something to go back to. */
  proven: boolean;
}

export class ReplicaSet {
  readonly #options: ReplicaSetOptions;
  readonly #closing = new AbortController();
  readonly #leaving = new Set<Replica>();
  #serving: Version;
  #trial: Version | undefined;
  /** Runs while every replica on trial is ready. */
  #settling: NodeJS.Timeout | undefined;
  #lookDue = false;
  #failure: string | undefined;
  #state: FunctionState;
  #graceMs = Infinity;

  /** @param first - `proven`: known to work, from an earlier life of the provider */
  constructor(first: { readonly spec: FunctionSpec; readonly replicas: number; readonly proven: boolean }, options: ReplicaSetOptions) {
    this.#options = options;
    this.#serving = { spec: first.spec, replicas: [], wanted: first.replicas, proven: first.proven };
    this.#state = this.#describe();
  }

  get state(): FunctionState {
    return this.#state;
  }

  /** What the next provider must know: the version that works, the one that is tried, the replicas wanted. */
  get known(): Omit<StoredFunction, 'createdAt'> {
    const { spec, wanted } = this.#serving;
    return { spec, replicas: wanted, ...(this.#trial ? { update: this.#trial.spec } : {}) };
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
    const { replicas, proven } = this.#serving;
    const wanted = Math.max(this.#serving.wanted, minReplicas(spec));
    const idle = replicas.every(({ state }) => state.kind === 'queued');
    const equal = isDeepStrictEqual(spec, this.#serving.spec);
    if (equal && idle && replicas.length > 0) {
      // Nothing has read the code yet: those that wait to start will read what is there now.
      this.#serving.wanted = wanted;
      this.#adjust(this.#serving);
      this.#options.onVersion('promoted');
    } else if (!proven || (equal && !replicas.some(({ state }) => state.kind === 'ready'))) {
      this.#leaveAll(this.#serving);
      this.#serving = { spec, replicas: [], wanted, proven };
      this.#adjust(this.#serving);
      this.#options.onVersion('promoted');
    } else {
      this.#trial = { spec, replicas: [], wanted, proven: false };
      this.#adjust(this.#trial);
    }
    this.#evaluate();
  }

  scale(replicas: number): void {
    for (const version of this.#versions()) {
      version.wanted = replicas;
      this.#adjust(version);
    }
    this.#evaluate();
  }

  /**
   * Ends every replica as its function was removed: routers learn of it first, and each may drain as long as its function may run.
   * @returns their names, once nothing of them is left
   */
  async drain(): Promise<string[]> {
    for (const version of this.#versions()) this.#leaveAll(version);
    this.#trial = undefined;
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
    const all = [...this.#versions().flatMap(({ replicas }) => replicas), ...this.#leaving];
    await Promise.all(all.map((replica) => replica.stop(graceMs)));
    return all.map(({ name }) => name);
  }

  #versions(): Version[] {
    return this.#trial ? [this.#serving, this.#trial] : [this.#serving];
  }

  /** As many replicas as wanted: more are started, or those that do least good leave. */
  #adjust(version: Version): void {
    while (version.replicas.length < version.wanted) version.replicas.push(this.#startReplica(version));
    while (version.replicas.length > version.wanted) {
      const notReady = version.replicas.findLastIndex(({ state }) => state.kind !== 'ready');
      const [replica] = version.replicas.splice(notReady === -1 ? version.replicas.length - 1 : notReady, 1);
      if (replica) this.#leave(replica, version.spec);
    }
  }

  #startReplica({ spec }: Version, after?: Failed): Replica {
    const replica = this.#options.newReplica(spec, () => this.#lookSoon(), after);
    replica.start();
    return replica;
  }

  /** One that only finishes what it has leaves its place to another. */
  #replaceFinishing(version: Version): void {
    for (const [i, replica] of version.replicas.entries()) {
      if (replica.state.kind !== 'finishing') continue;
      const { failures, reason } = replica.state;
      version.replicas[i] = this.#startReplica(version, { failures: failures + 1, reason });
      this.#leave(replica, version.spec);
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

  /** Called at each change of a replica. What is done to many of them is looked at once it is done to all. */
  #lookSoon(): void {
    if (this.#lookDue) return;
    this.#lookDue = true;
    queueMicrotask(() => {
      this.#lookDue = false;
      this.#evaluate();
    });
  }

  /** Looks at where the replicas are now. */
  #evaluate(): void {
    if (this.#closing.signal.aborted) return;
    for (const version of this.#versions()) this.#replaceFinishing(version);
    this.#serving.proven ||= this.#serving.replicas.some(({ state }) => state.kind === 'ready');
    this.#judgeTrial();
    const state = this.#describe();
    if (isDeepStrictEqual(state, this.#state)) return;
    this.#state = state;
    this.#options.onState(state);
  }

  #judgeTrial(): void {
    const trial = this.#trial;
    if (trial?.replicas.every(({ state }) => state.kind === 'ready')) {
      this.#settling ??= setTimeout(() => this.#promote(), this.#options.settleMs).unref();
      return;
    }
    clearTimeout(this.#settling);
    this.#settling = undefined;
    const hopeless = trial?.replicas.find(({ state }) => state.kind === 'killing' || ('failures' in state && state.failures >= failuresToGiveUp));
    if (!trial || !hopeless) return;
    this.#failure = `the new version was given up, the one before serves on: ${reasonOf(hopeless)}`;
    this.#trial = undefined;
    this.#leaveAll(trial);
    this.#options.onVersion('given-up', this.#failure);
  }

  #promote(): void {
    this.#settling = undefined;
    const old = this.#serving;
    if (!this.#trial || this.#closing.signal.aborted) return;
    this.#serving = this.#trial;
    this.#trial = undefined;
    this.#leaveAll(old);
    this.#options.onVersion('promoted');
    this.#evaluate();
  }

  #describe(): FunctionState {
    const endpoints = this.#serving.replicas.flatMap((replica): Endpoint[] => (
      replica.state.kind === 'ready' ? [{ replica: replica.name, url: replica.state.url }] : []));
    const reason = this.#reason();
    const { spec, wanted } = this.#trial ?? this.#serving;
    return {
      spec,
      replicas: wanted,
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
    return this.#trial ? `the new version is not up yet, the one before serves until it is: ${reasonOf(failed)}` : reasonOf(failed);
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
