/**
 * The port every provider driver fulfils: where functions run. OpenFaaS's provider contract, typed, plus one thing
 * it lacks: `watch` pushes each change of the replica table, so that nobody polls while a replica starts.
 * Not here: choosing a replica for a request (gateway/src/router.ts).
 */

/** `fn.namespace` splits at the last dot. */
export interface FunctionRef {
  readonly name: string;
  readonly namespace: string;
}

export interface Resources {
  /** As Kubernetes writes them: `64Mi`, `250m`. */
  readonly memory?: string;
  readonly cpu?: string;
}

/** What to deploy: OpenFaaS's FunctionDeployment with its defaults filled in. */
export interface FunctionSpec extends FunctionRef {
  readonly image: string;
  /** The program a fork or http watchdog runs; empty when the image says. */
  readonly envProcess: string;
  readonly envVars: Readonly<Record<string, string>>;
  readonly constraints: readonly string[];
  readonly secrets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly limits: Resources;
  readonly requests: Resources;
  readonly readOnlyRootFilesystem: boolean;
}

/** A replica that accepts requests now. */
export interface Endpoint {
  /** The replica's name, stable while it lives: in logs and metrics. */
  readonly replica: string;
  /** `http://host:port`, without a slash at the end. */
  readonly url: string;
}

export interface FunctionState {
  readonly spec: FunctionSpec;
  /** Wanted. */
  readonly replicas: number;
  /** Ready now. */
  readonly endpoints: readonly Endpoint[];
  /** RFC 3339. */
  readonly createdAt: string;
  /** Why replicas are missing, one sentence; absent while all is well. */
  readonly reason?: string;
}

export type FunctionEvent =
  | { readonly kind: 'changed'; readonly state: FunctionState }
  | { readonly kind: 'removed'; readonly ref: FunctionRef }
  /** Every function known at the start has been told (or, after a gap, told again; what was not is gone). */
  | { readonly kind: 'synced'; readonly refs: readonly FunctionRef[] };

export interface LogLine extends FunctionRef {
  /** The replica. */
  readonly instance: string;
  /** RFC 3339 with fractions. */
  readonly timestamp: string;
  readonly text: string;
}

export interface LogQuery extends FunctionRef {
  readonly instance?: string;
  /** The last so many lines; absent: all that are kept. */
  readonly tail?: number;
  readonly since?: Date;
  readonly follow: boolean;
  /** Ends a follow. */
  readonly signal: AbortSignal;
}

export interface ProviderInfo {
  /** `postern-process` … */
  readonly provider: string;
  /** `process`, `docker` … */
  readonly orchestration: string;
  readonly version: string;
}

export interface Provider {
  /**
   * Resolves once the function is recorded and will be started, not once it is ready: follow `watch` for that.
   * @throws {FunctionExists}
   * @throws {InvalidFunction} this driver cannot run it, and why
   */
  deploy(spec: FunctionSpec): Promise<void>;
  /**
   * Replaces a function: the new replicas are ready, and stay so for a moment, before the old ones drain.
   * @throws {FunctionNotFound}
   * @throws {InvalidFunction}
   */
  update(spec: FunctionSpec): Promise<void>;
  /** @throws {FunctionNotFound} */
  remove(ref: FunctionRef): Promise<void>;
  /**
   * @throws {FunctionNotFound}
   * @throws {InvalidFunction} no number of replicas, or more than this driver starts
   */
  scale(ref: FunctionRef, replicas: number): Promise<void>;
  list(namespace: string): Promise<readonly FunctionState[]>;
  get(ref: FunctionRef): Promise<FunctionState | undefined>;
  /**
   * Tells the listener every function as `changed`, then `synced`, then each change as it happens.
   * @returns ends the watch
   */
  watch(listener: (event: FunctionEvent) => void): () => void;
  /** @throws {FunctionNotFound} */
  logs(query: LogQuery): Promise<AsyncIterable<LogLine>>;
  info(): Promise<ProviderInfo>;
  /** Process driver: stops every function, in order. Remote: lets go of the connection. Idempotent. */
  close(): Promise<void>;
}

/** A function as one word, `name.namespace`: OpenFaaS's `function_name` label. */
export function functionKey(ref: FunctionRef): string {
  return `${ref.name}.${ref.namespace}`;
}
