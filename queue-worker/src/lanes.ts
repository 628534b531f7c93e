/**
 * Which lanes are consumed, and by which rules. Two facts decide, each told as it changes: what is deployed, and which
 * lanes hold calls. `#apply` brings the consumers in line with both; it never waits, so nothing can come in between.
 */
import { type Call, type Consumer, type Delivery, type Lane, type LaneStats, type Outcome, type Queue, laneKey, laneOf } from '@postern/queue';
import type { Logger } from 'pino';
import type { DeployedFunction } from './function-list.js';
import { type FunctionRules, readRules } from './function-rules.js';
import type { Invoke } from './invoke.js';
import type { LaneMetrics, WorkerMetrics } from './metrics.js';
import { type AttemptContext, runAttempt } from './run-attempt.js';
import { Turns } from './turns.js';

export interface LanesOptions {
  readonly queue: Queue;
  readonly invoke: Invoke;
  readonly defaults: FunctionRules;
  readonly maxBodyBytes: number;
  readonly defaultNamespace: string;
  readonly notRunGiveUpAfterMs: number;
  readonly metrics: WorkerMetrics;
  readonly log: Logger;
}

interface Deployed {
  readonly fn: DeployedFunction;
  readonly rules: FunctionRules;
}

/** A lane with its consumer. */
interface OpenLane {
  readonly lane: Lane;
  readonly metrics: LaneMetrics;
  readonly context: AttemptContext & { rules: FunctionRules };
  /** Deliveries being handled: running, or waiting for their turn. */
  inHand: number;
  /** `undefined` when it could not be opened. */
  readonly consumer: Promise<Consumer | undefined>;
}

export class Lanes {
  readonly #options: LanesOptions;
  /** By `name.namespace`. */
  #deployed = new Map<string, Deployed>();
  #depths = new Map<string, LaneStats>();
  readonly #open = new Map<string, OpenLane>();
  readonly #ending = new Set<Promise<readonly string[]>>();
  #closed = false;

  constructor(options: LanesOptions) {
    this.#options = options;
  }

  /** What is deployed now, all of it. */
  deployed(functions: readonly DeployedFunction[]): void {
    this.#deployed = new Map(functions.map((fn) => [functionName(fn), this.#read(fn)]));
    this.#apply();
  }

  /** The lanes that hold calls now, all of them. */
  holding(lanes: readonly LaneStats[]): void {
    this.#depths = new Map(lanes.map((stats) => [laneKey(stats.lane), stats]));
    this.#apply();
  }

  /** @returns the ids of the calls that were let go unfinished */
  async close(graceMs: number): Promise<readonly string[]> {
    this.#closed = true;
    for (const key of this.#open.keys()) this.#shut(key, graceMs);
    return (await Promise.all(this.#ending)).flat();
  }

  #apply(): void {
    if (this.#closed) return;
    const wanted = new Map<string, Lane>();
    for (const { fn } of this.#deployed.values()) wanted.set(laneKey(laneOf(fn)), laneOf(fn));
    for (const [key, { lane, depth }] of this.#depths) if (depth > 0) wanted.set(key, lane);

    for (const [key, open] of this.#open) {
      open.metrics.pending = this.#depths.get(key)?.depth ?? 0;
      if (wanted.has(key)) this.#update(open);
      else if (open.inHand === 0) this.#shut(key, 0);
    }
    for (const [key, lane] of wanted) if (!this.#open.has(key)) this.#start(key, lane);
  }

  #start(key: string, lane: Lane): void {
    const { queue, invoke, maxBodyBytes, notRunGiveUpAfterMs, defaultNamespace } = this.#options;
    const functionName = lane.namespace === defaultNamespace ? lane.function : `${lane.function}.${lane.namespace}`;
    const log = this.#options.log.child({ queue: lane.queue, namespace: lane.namespace, function: lane.function });
    const metrics = this.#options.metrics.lane(lane);
    metrics.pending = this.#depths.get(key)?.depth ?? 0;
    const rules = this.#rulesFor(lane);
    const invokeCounted: Invoke = async (call, attempt, signal) => {
      metrics.running++;
      try {
        return await invoke(call, attempt, signal);
      } finally {
        metrics.running--;
      }
    };
    const context = { functionName, invoke: invokeCounted, rules, turns: new Turns(), maxBodyBytes, notRunGiveUpAfterMs, log };
    const handle = async (delivery: Delivery<Call>): Promise<Outcome> => {
      open.inHand++;
      const outcome = await runAttempt(delivery, context);
      open.inHand--;
      metrics.ended(outcome.kind, delivery.signal.aborted);
      return outcome;
    };
    const consumer = queue.consume(lane, { maxInFlight: rules.maxInFlight }, handle).catch((error: unknown) => {
      log.warn({ err: error }, 'lane cannot be consumed, to be tried again');
      metrics.remove();
      if (this.#open.get(key) === open) this.#open.delete(key);
      return undefined;
    });
    const open: OpenLane = { lane, metrics, context, inHand: 0, consumer };
    this.#open.set(key, open);
  }

  #update({ lane, context, consumer }: OpenLane): void {
    const { maxInFlight } = context.rules;
    context.rules = this.#rulesFor(lane);
    const limit = context.rules.maxInFlight;
    if (limit !== maxInFlight) void consumer.then((opened) => { opened?.setMaxInFlight(limit); });
  }

  #shut(key: string, graceMs: number): void {
    const open = this.#open.get(key);
    if (!open) return;
    this.#open.delete(key);
    const stopped = this.#stop(open, graceMs);
    this.#ending.add(stopped);
    void stopped.then(() => this.#ending.delete(stopped));
  }

  async #stop({ consumer, metrics, context }: OpenLane, graceMs: number): Promise<readonly string[]> {
    try {
      const stopped = (await consumer)?.stop(graceMs);
      // Only now: what waits for its turn is handed back, and must not come here again.
      context.turns.close();
      return await stopped ?? [];
    } catch (error) {
      context.log.error({ err: error }, 'consumer did not stop well');
      return [];
    } finally {
      metrics.remove();
    }
  }

  /** A function that is gone leaves its calls to the worker's own rules. */
  #rulesFor(lane: Lane): FunctionRules {
    return this.#deployed.get(`${lane.function}.${lane.namespace}`)?.rules ?? this.#options.defaults;
  }

  /** Read anew only when an annotation has changed, so that a wrong one is logged once. */
  #read(fn: DeployedFunction): Deployed {
    const known = this.#deployed.get(functionName(fn));
    if (known && JSON.stringify(known.fn.annotations) === JSON.stringify(fn.annotations)) return { fn, rules: known.rules };
    const { rules, unread } = readRules(fn.annotations, this.#options.defaults);
    for (const each of unread) {
      this.#options.log.warn({ function: fn.name, namespace: fn.namespace, ...each }, 'annotation cannot be read, the worker\'s setting applies');
    }
    return { fn, rules };
  }
}

function functionName({ name, namespace }: DeployedFunction): string {
  return `${name}.${namespace}`;
}
