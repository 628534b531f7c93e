/**
 * The watchdog's metrics, under of-watchdog's names, on a port of their own.
 * prom-client takes as long to load as Node takes to boot half-way; so it is loaded with the first scrape,
 * or once enough answers wait to be counted, and never delays a cold start.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

const maxWaiting = 1_000;

interface Answer {
  readonly method: string;
  readonly status: number;
  readonly seconds: number;
}

interface Instruments {
  readonly registry: Registry;
  count(answer: Answer): void;
}

/** Counts answers and serves /metrics. */
export class Metrics {
  #waiting: Answer[] = [];
  #instruments: Instruments | undefined;
  #loading: Promise<Instruments> | undefined;
  readonly #server: Server;

  /** @param inFlight - the calls running now */
  constructor(readonly inFlight: () => number) {
    this.#server = createServer({ keepAliveTimeout: 5_000 }, (request, response) => {
      if (request.url !== '/metrics') {
        response.writeHead(404).end();
        return;
      }
      this.#expose().then(
        ({ type, text }) => response.writeHead(200, { 'Content-Type': type }).end(text),
        () => response.writeHead(500).end(),
      );
    });
  }

  /** Counts an answer that was sent, or given up because its client had gone. */
  count(method: string, status: number, seconds: number): void {
    const answer = { method, status, seconds };
    if (this.#instruments !== undefined) {
      this.#instruments.count(answer);
      return;
    }
    this.#waiting.push(answer);
    // A failure to load shows at the next scrape.
    if (this.#waiting.length === maxWaiting) this.#load().catch(() => undefined);
  }

  /** @returns the URL of the metrics. Rejects when the port is taken. */
  async listen(port: number, host: string): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(port, host, resolve);
    });
    // A TCP server's address is an object.
    return `http://${urlHost(host)}:${(this.#server.address() as AddressInfo).port}/metrics`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #expose(): Promise<{ type: string; text: string }> {
    const { registry } = await this.#load();
    return { type: registry.contentType, text: await registry.metrics() };
  }

  #load(): Promise<Instruments> {
    this.#loading ??= loadInstruments(this.inFlight).then((instruments) => {
      for (const answer of this.#waiting) instruments.count(answer);
      this.#waiting = [];
      this.#instruments = instruments;
      return instruments;
    });
    return this.#loading;
  }
}

async function loadInstruments(inFlight: () => number): Promise<Instruments> {
  const { Counter, Gauge, Histogram, Registry } = await import('prom-client');
  const registry = new Registry();
  const common = { labelNames: ['code', 'method'] as const, registers: [registry] };
  const total = new Counter({ name: 'http_requests_total', help: 'Total number of HTTP requests.', ...common });
  const duration = new Histogram({ name: 'http_request_duration_seconds', help: 'Seconds spent serving HTTP requests.', ...common });
  new Gauge({
    name: 'http_requests_in_flight', help: 'Number of HTTP requests being served.', registers: [registry],
    collect() { this.set(inFlight()); },
  });
  // Looking a label pair up costs more than counting, so each pair is looked up once.
  const children = new Map<string, (seconds: number) => void>();
  return {
    registry,
    count({ method, status, seconds }) {
      const key = method + status;
      let observe = children.get(key);
      if (observe === undefined) {
        const counted = total.labels(String(status), method);
        const timed = duration.labels(String(status), method);
        observe = (value) => {
          counted.inc();
          timed.observe(value);
        };
        children.set(key, observe);
      }
      observe(seconds);
    },
  };
}

/** An address as a URL's host: IPv6 goes in brackets. */
export function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
