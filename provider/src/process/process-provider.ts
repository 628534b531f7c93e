/**
 * The provider that needs nothing but this machine: every replica is a watchdog process of its own.
 * What is deployed survives a restart (spec-store.ts); processes do not: a watchdog ends with the provider that
 * started it, however that ends.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import type { Logger } from 'pino';
import { assertValid } from '../deployment.js';
import { FunctionExists, FunctionNotFound, InvalidFunction, ProviderUnavailable } from '../errors.js';
import { maxReplicas, minReplicas } from '../function-rules.js';
import {
  type FunctionEvent, type FunctionRef, type FunctionSpec, type FunctionState, type LogLine, type LogQuery, type Provider,
  type ProviderInfo, functionKey,
} from '../provider.js';
import { lockFolder } from './folder-lock.js';
import { FunctionLog } from './function-log.js';
import { assertRunnable, launchOf } from './launch.js';
import { readLog } from './log-reader.js';
import { MemoryWatch } from './memory-limit.js';
import { type Failed, Replica } from './replica.js';
import { ReplicaSet } from './replica-set.js';
import { SecretsMount } from './secrets-mount.js';
import { SpecStore, type StoredFunction } from './spec-store.js';
import { StartSlots } from './start-slots.js';
import { Turns } from './turns.js';

export interface ProcessProviderOptions {
  /** Holds `functions/`, `logs/` and `mounts/`; made where it is missing, and this provider's alone until it is closed. */
  readonly dataDir: string;
  /** The watchdog program. */
  readonly watchdogMain: string;
  readonly log: Logger;
  readonly defaultNamespace: string;
  /** The provider's own environment, of which functions get what every program needs (PATH, HOME …) and no more. */
  readonly env: NodeJS.ProcessEnv;
  /** Secrets are the files `<secretsDir>/<namespace>/<name>`. Default: `<dataDir>/secrets`. */
  readonly secretsDir?: string;
  /** How long `close` lets functions finish. Default: 30 s. */
  readonly graceMs?: number;
  /** From a replica's spawn to ready, and from unready to ready again. Default: 30 s. */
  readonly startDeadlineMs?: number;
  /** How long the replicas of a new version must stay ready before they serve. Default: 2 s. */
  readonly settleMs?: number;
  /** From leaving the endpoints to SIGTERM. Default: 500 ms. */
  readonly drainDelayMs?: number;
  /** Of one replica's log file; as much again is kept beside it. Default: 5 MiB. */
  readonly maxLogBytes?: number;
}

/**
 * Opens the provider and starts what was deployed.
 * @throws {SettingsError} another provider owns `dataDir`
 */
export async function createProcessProvider(options: ProcessProviderOptions): Promise<Provider> {
  const unlock = lockFolder(resolve(options.dataDir));
  try {
    const store = await SpecStore.open(join(options.dataDir, 'functions'));
    const functions = await store.load(options.log);
    const provider = new ProcessProvider(options, store, unlock);
    provider.restore(functions);
    return provider;
  } catch (error) {
    unlock();
    throw error;
  }
}

interface Deployed {
  readonly set: ReplicaSet;
  readonly log: FunctionLog;
  readonly createdAt: string;
}

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { readonly version: string };

class ProcessProvider implements Provider {
  readonly #options: ProcessProviderOptions;
  readonly #store: SpecStore;
  readonly #secrets: SecretsMount;
  readonly #slots = new StartSlots(availableParallelism());
  readonly #memory = new MemoryWatch();
  readonly #deployed = new Map<string, Deployed>();
  readonly #listeners = new Set<(event: FunctionEvent) => void>();
  /** By function. */
  readonly #turns = new Turns();
  /** Removed functions whose replicas drain. */
  readonly #removals = new Map<ReplicaSet, Promise<void>>();
  readonly #unlock: () => void;
  readonly #saidUnheld = new Set<string>();
  #closed: Promise<void> | undefined;

  constructor(options: ProcessProviderOptions, store: SpecStore, unlock: () => void) {
    this.#unlock = unlock;
    this.#options = options;
    this.#store = store;
    this.#secrets = new SecretsMount(options.secretsDir ?? join(options.dataDir, 'secrets'), join(options.dataDir, 'mounts'));
  }

  /** Starts what an earlier provider left, in the order it was deployed; an update it did not finish is tried again. */
  restore(functions: readonly StoredFunction[]): void {
    for (const { update, ...known } of functions) {
      const { set } = this.#add(known, true);
      if (update) set.update(update);
    }
  }

  async deploy(spec: FunctionSpec): Promise<void> {
    await this.#inTurn(spec, async () => {
      if (this.#deployed.has(functionKey(spec))) throw new FunctionExists(`function ${spec.name} exists already in namespace ${spec.namespace}`);
      await this.#assertDeployable(spec);
      const createdAt = new Date().toISOString();
      const stored = { spec, replicas: minReplicas(spec), createdAt };
      await this.#store.save(stored);
      this.#add(stored, false);
    });
  }

  async update(spec: FunctionSpec): Promise<void> {
    await this.#inTurn(spec, async () => {
      const { set, createdAt } = this.#find(spec);
      await this.#assertDeployable(spec);
      await this.#store.save({ ...set.known, update: spec, createdAt });
      set.update(spec);
    });
  }

  async remove(ref: FunctionRef): Promise<void> {
    await this.#inTurn(ref, async () => {
      const { set, log } = this.#find(ref);
      await this.#store.remove(ref);
      this.#deployed.delete(functionKey(ref));
      this.#tell({ kind: 'removed', ref: { name: ref.name, namespace: ref.namespace } });
      log.end();
      const earlier = log.instances();
      const ended = set.drain().then((names) => {
        for (const name of names) this.#secrets.unmount(name);
        log.remove([...earlier, ...names]);
      }).catch((err: unknown) => this.#options.log.error({ err, function: ref.name }, 'a removed function left something behind'))
        .finally(() => this.#removals.delete(set));
      this.#removals.set(set, ended);
    });
  }

  async scale(ref: FunctionRef, replicas: number): Promise<void> {
    if (!Number.isSafeInteger(replicas) || replicas < 0 || replicas > maxReplicas) {
      throw new InvalidFunction(`replicas: expected a whole number from 0 to ${maxReplicas}, found ${replicas}`);
    }
    await this.#inTurn(ref, async () => {
      const { set, createdAt } = this.#find(ref);
      await this.#store.save({ ...set.known, replicas, createdAt });
      set.scale(replicas);
    });
  }

  async list(namespace: string): Promise<readonly FunctionState[]> {
    const wanted = namespace === '' ? this.#options.defaultNamespace : namespace;
    return this.#states().filter(({ spec }) => spec.namespace === wanted);
  }

  async get(ref: FunctionRef): Promise<FunctionState | undefined> {
    return this.#deployed.get(functionKey(ref))?.set.state;
  }

  watch(listener: (event: FunctionEvent) => void): () => void {
    const own = (event: FunctionEvent): void => listener(event);
    const states = this.#states();
    for (const state of states) own({ kind: 'changed', state });
    own({ kind: 'synced', refs: states.map(({ spec: { name, namespace } }) => ({ name, namespace })) });
    this.#listeners.add(own);
    return () => { this.#listeners.delete(own); };
  }

  async logs(query: LogQuery): Promise<AsyncIterable<LogLine>> {
    return readLog(this.#find(query).log, query);
  }

  async info(): Promise<ProviderInfo> {
    return { provider: 'postern-process', orchestration: 'process', version };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { graceMs = 30_000, dataDir } = this.#options;
    await this.#turns.idle();
    const sets = [...this.#deployed.values()].map(({ set }) => set);
    await Promise.all([...sets, ...this.#removals.keys()].map((set) => set.close(graceMs)));
    await Promise.all(this.#removals.values());
    for (const { log } of this.#deployed.values()) log.end();
    await rm(join(dataDir, 'mounts'), { recursive: true, force: true });
    this.#unlock();
    this.#listeners.clear();
  }

  #states(): FunctionState[] {
    return [...this.#deployed.values()].map(({ set }) => set.state);
  }

  #find(ref: FunctionRef): Deployed {
    const deployed = this.#deployed.get(functionKey(ref));
    if (!deployed) throw new FunctionNotFound(`no function ${ref.name} in namespace ${ref.namespace}`);
    return deployed;
  }

  async #assertDeployable(spec: FunctionSpec): Promise<void> {
    assertValid(spec);
    await assertRunnable(spec);
    this.#secrets.assertPresent(spec);
    const unheld = [...(spec.limits.cpu === undefined ? [] : ['limits.cpu']), ...(spec.readOnlyRootFilesystem ? ['readOnlyRootFilesystem'] : [])];
    for (const field of unheld.filter((each) => !this.#saidUnheld.has(each))) {
      this.#saidUnheld.add(field);
      this.#options.log.warn({ field, function: spec.name }, 'accepted, but plain processes cannot be held to it');
    }
  }

  #add({ spec, replicas, createdAt }: StoredFunction, proven: boolean): Deployed {
    const { dataDir, maxLogBytes = 5 * 2 ** 20, log: logger, drainDelayMs = 500, settleMs = 2_000 } = this.#options;
    const ref = { function: spec.name, namespace: spec.namespace };
    const log = new FunctionLog(join(resolve(dataDir), 'logs', spec.namespace, spec.name), {
      maxBytes: maxLogBytes,
      onError: (err) => logger.warn({ err, ...ref }, 'lines of a function\'s log were lost'),
    });
    const set = new ReplicaSet({ spec, replicas, proven }, {
      createdAt,
      drainDelayMs,
      settleMs,
      newReplica: (version, onChange, after) => this.#newReplica(version, log, onChange, after),
      onState: (state) => {
        if (this.#deployed.get(functionKey(spec))?.set === set) this.#tell({ kind: 'changed', state });
      },
      onVersion: (outcome, reason) => {
        if (outcome === 'given-up') logger.warn({ ...ref, reason }, 'an update was given up');
        else logger.info(ref, 'a function was updated');
        // Not stored while closing: the next start tries the update again.
        if (!this.#closed) void this.#inTurn(spec, () => this.#recordVersion(spec, set)).catch((err: unknown) => {
          logger.error({ err, ...ref }, 'which version works could not be stored');
        });
      },
    });
    const deployed = { set, log, createdAt };
    this.#deployed.set(functionKey(spec), deployed);
    this.#tell({ kind: 'changed', state: set.state });
    set.start();
    return deployed;
  }

  async #recordVersion(ref: FunctionRef, set: ReplicaSet): Promise<void> {
    const deployed = this.#deployed.get(functionKey(ref));
    if (deployed?.set === set) await this.#store.save({ ...set.known, createdAt: deployed.createdAt });
  }

  #newReplica(spec: FunctionSpec, log: FunctionLog, onChange: () => void, after?: Failed): Replica {
    const { watchdogMain, env, startDeadlineMs = 30_000, log: logger } = this.#options;
    const name = `${spec.name}-${randomBytes(4).toString('hex')}`;
    const fields = { function: spec.name, namespace: spec.namespace, replica: name };
    const replica = new Replica({
      name, watchdogMain, startDeadlineMs, after,
      launch: () => launchOf(spec, env, this.#secrets.mount(spec, name)),
      log: log.openReplica(name),
      slots: this.#slots,
      memory: this.#memory,
      onChange: ({ state }) => {
        if (state.kind === 'backoff') logger.warn({ ...fields, reason: state.reason, failures: state.failures }, 'a replica ended and starts anew');
        else if (state.kind === 'finishing') logger.warn({ ...fields, reason: state.reason }, 'a replica takes nothing more and is replaced');
        else logger.debug({ ...fields, state: state.kind }, 'a replica changed');
        onChange();
      },
    });
    void replica.ended.then(() => this.#secrets.unmount(name));
    return replica;
  }

  #tell(event: FunctionEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (err) {
        this.#options.log.error({ err }, 'a watcher of functions failed');
      }
    }
  }

  /** One change of a function at a time, in the order they were asked for. */
  async #inTurn(ref: FunctionRef, change: () => Promise<void>): Promise<void> {
    if (this.#closed) throw new ProviderUnavailable('the provider is closing');
    await this.#turns.take(functionKey(ref), change);
  }
}
