/**
 * The `context` of an event handler: status, headers, and the one answer.
 */
import type { Context } from '../handler-types.js';

type Headers = Record<string, string | string[]>;

/** How the handler answered; the first answer counts. */
export type Settled = (kind: 'succeed' | 'fail', value: unknown) => void;

export class EventContext implements Context {
  readonly #settled: Settled;
  #status = 200;
  #headers: Headers = {};

  constructor(settled: Settled) {
    this.#settled = settled;
  }

  status(): number;
  status(code: number): this;
  status(code?: number): number | this {
    // As in OpenFaaS: `status(0)` asks.
    if (code === undefined || code === 0) return this.#status;
    this.#status = code;
    return this;
  }

  headers(): Headers;
  headers(headers: Headers): this;
  headers(headers?: Headers): Headers | this {
    if (headers === undefined) return this.#headers;
    this.#headers = headers;
    return this;
  }

  succeed(value?: unknown): void {
    this.#settled('succeed', value);
  }

  fail(value?: unknown): void {
    if (this.#status === 200) this.#status = 500;
    this.#settled('fail', value);
  }
}
