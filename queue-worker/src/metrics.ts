/**
 * The worker's metrics, OpenFaaS's names where it has them. Labels come from deployed functions and queued lanes; what
 * is no longer served is forgotten. Counted once per attempt, as it ends: an outcome the queue cannot store in the end, or a
 * worker killed before it is stored, means one more attempt, which counts as one. Gauges are read when they are scraped.
 */
import type { Lane, Outcome } from '@postern/queue';
import { Counter, Gauge, type Registry } from 'prom-client';

/** One lane's numbers. */
export interface LaneMetrics {
  /** Calls stored and not settled, as last seen. */
  pending: number;
  /** Invocations running in this worker. */
  running: number;
  ended(outcome: Outcome['kind'], letGo: boolean): void;
  remove(): void;
}

export interface WorkerMetrics {
  lane(lane: Lane): LaneMetrics;
  callbackEnded(outcome: Outcome['kind'], letGo: boolean): void;
}

export function createWorkerMetrics(registry: Registry): WorkerMetrics {
  const live = new Map<LaneMetrics, { queue_name: string; function_name: string }>();
  const laneLabels = ['queue_name', 'function_name'] as const;
  const registers = [registry];
  const laneGauge = (name: string, help: string, value: (metrics: LaneMetrics) => number) => new Gauge({
    name, help, registers, labelNames: laneLabels,
    collect() {
      this.reset();
      for (const [metrics, labels] of live) this.set(labels, value(metrics));
    },
  });
  laneGauge('queue_worker_pending_messages', 'Calls stored and not settled.', ({ pending }) => pending);
  laneGauge('queue_worker_function_invocation_inflight', 'Invocations running in this worker.', ({ running }) => running);
  const processed = new Counter({
    name: 'queue_worker_messages_processed_total', help: 'Attempts that ended their call, done or dead.', registers, labelNames: ['queue_name'],
  });
  const attempts = new Counter({
    name: 'postern_worker_attempts_total', help: 'Attempts by how they ended: done, retry, dead, let_go.', registers,
    labelNames: ['function_name', 'outcome'],
  });
  const dead = new Counter({
    name: 'postern_worker_dead_total', help: 'Attempts after which their call was given up.', registers, labelNames: ['function_name'],
  });
  const callbacks = new Counter({
    name: 'postern_worker_callbacks_total', help: 'Callback tries by how they ended: done, retry (failed or held back), dead, let_go.', registers,
    labelNames: ['outcome'],
  });

  return {
    lane({ queue, namespace, function: name }) {
      const labels = { queue_name: queue, function_name: `${name}.${namespace}` };
      const { function_name } = labels;
      const metrics: LaneMetrics = {
        pending: 0,
        running: 0,
        ended(outcome, letGo) {
          attempts.inc({ function_name, outcome: letGo ? 'let_go' : outcome });
          if (letGo || outcome === 'retry') return;
          processed.inc({ queue_name: queue });
          if (outcome === 'dead') dead.inc({ function_name });
        },
        remove() {
          live.delete(metrics);
          if ([...live.values()].some((other) => other.function_name === function_name)) return;
          for (const outcome of ['done', 'retry', 'dead', 'let_go']) attempts.remove({ function_name, outcome });
          dead.remove({ function_name });
        },
      };
      live.set(metrics, labels);
      return metrics;
    },
    callbackEnded(outcome, letGo) {
      callbacks.inc({ outcome: letGo ? 'let_go' : outcome });
    },
  };
}
