/**
 * The gateway's Prometheus metrics, under OpenFaaS's names where OpenFaaS has one.
 * Labels come from deployed functions only, never from a URL.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** The figures of one function, resolved once so that a request costs no label lookup. */
export interface FunctionMetrics {
  started(): void;
  /** @param seconds - from the request's arrival to the end of its answer */
  finished(status: number, seconds: number): void;
  accepted(): void;
  /** Answered requests so far. */
  readonly count: number;
  /** Ends its series. What still runs may count on, unseen. */
  remove(): void;
}

export class GatewayMetrics {
  readonly #seconds: Histogram<'function_name' | 'code'>;
  readonly #total: Counter<'function_name' | 'code'>;
  readonly #started: Counter<'function_name'>;
  readonly #inFlight: Gauge<'function_name'>;
  readonly #accepted: Counter<'function_name'>;
  readonly #refused: Counter<'code'>;
  readonly #functions = new Map<string, FunctionMetrics>();

  /** @param services - read at every scrape: wanted and ready replicas a function */
  constructor(registry: Registry, services: () => Iterable<{ key: string; replicas: number; ready: number }>) {
    const registers = [registry];
    this.#seconds = new Histogram({
      name: 'gateway_functions_seconds', help: 'Function time taken', labelNames: ['function_name', 'code'], registers,
    });
    this.#total = new Counter({
      name: 'gateway_function_invocation_total', help: 'Function metrics', labelNames: ['function_name', 'code'], registers,
    });
    this.#started = new Counter({
      name: 'gateway_function_invocation_started', help: 'The total number of function HTTP requests started', labelNames: ['function_name'], registers,
    });
    this.#inFlight = new Gauge({
      name: 'gateway_function_invocation_inflight', help: 'Requests a function is working on', labelNames: ['function_name'], registers,
    });
    this.#accepted = new Counter({
      name: 'postern_gateway_accepted_total', help: 'Asynchronous calls answered with 202', labelNames: ['function_name'], registers,
    });
    this.#refused = new Counter({
      name: 'postern_gateway_refused_total', help: 'Requests refused by the gateway itself, by error code', labelNames: ['code'], registers,
    });
    const count = new Gauge({
      name: 'gateway_service_count', help: 'Wanted replicas', labelNames: ['function_name'], registers,
      collect() {
        count.reset();
        for (const { key, replicas } of services()) count.set({ function_name: key }, replicas);
      },
    });
    const ready = new Gauge({
      name: 'gateway_service_ready_count', help: 'Ready replicas', labelNames: ['function_name'], registers,
      collect() {
        ready.reset();
        for (const { key, ready: n } of services()) ready.set({ function_name: key }, n);
      },
    });
  }

  refused(code: string): void {
    this.#refused.inc({ code });
  }

  /** @param key - `name.namespace` of a deployed function */
  forFunction(key: string): FunctionMetrics {
    const known = this.#functions.get(key);
    if (known) return known;
    const [seconds, total] = [this.#seconds, this.#total];
    const started = this.#started.labels(key);
    const inFlight = this.#inFlight.labels(key);
    const accepted = this.#accepted.labels(key);
    const byStatus = new Map<number, { count: { inc(): void }; time: { observe(seconds: number): void } }>();
    let finishedCount = 0;
    let removed = false;
    const metrics: FunctionMetrics = {
      started() {
        started.inc();
        inFlight.inc();
      },
      finished(status, elapsed) {
        if (removed) return;
        finishedCount++;
        inFlight.dec();
        let children = byStatus.get(status);
        if (children === undefined) {
          children = { count: total.labels(key, String(status)), time: seconds.labels(key, String(status)) };
          byStatus.set(status, children);
        }
        children.count.inc();
        children.time.observe(elapsed);
      },
      accepted() { accepted.inc(); },
      get count() { return finishedCount; },
      remove: () => {
        removed = true;
        for (const status of byStatus.keys()) {
          total.remove(key, String(status));
          seconds.remove(key, String(status));
        }
        for (const metric of [this.#started, this.#inFlight, this.#accepted]) metric.remove(key);
      },
    };
    this.#functions.set(key, metrics);
    return metrics;
  }

  /** The series of a function that is removed go with it: names come and go, and none may stay for ever. */
  forget(key: string): void {
    this.#functions.get(key)?.remove();
    this.#functions.delete(key);
  }
}
