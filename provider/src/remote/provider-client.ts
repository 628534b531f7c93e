/**
 * HTTP to a provider: each call with a deadline, each failure one of the port's errors.
 * Not here: what is said (wire.ts), which path says it (remote-provider.ts).
 */
import { Agent, request, type Dispatcher } from 'undici';
import { z } from 'zod';
import { type Credentials, basicAuthHeader } from '@postern/settings';
import { FunctionExists, FunctionNotFound, InvalidFunction, ProviderUnavailable, type ProviderError } from '../errors.js';

export interface ProviderClientOptions {
  readonly url: string;
  readonly credentials?: Credentials | undefined;
  /** For a whole call, and for the head of a stream. */
  readonly deadlineMs: number;
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Ours and, for want of a better one, a plain text. */
const errorBody = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

export class ProviderClient {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #deadlineMs: number;
  readonly #agent: Agent;

  constructor({ url, credentials, deadlineMs }: ProviderClientOptions) {
    this.#base = url.replace(/\/+$/, '');
    this.#headers = credentials === undefined ? {} : { authorization: basicAuthHeader(credentials) };
    this.#deadlineMs = deadlineMs;
    this.#agent = new Agent({ connect: { timeout: deadlineMs } });
  }

  /**
   * @returns what the answer's JSON decodes to
   * @throws {ProviderError} what the provider said, or {@link ProviderUnavailable}
   */
  async ask<Answer>(path: string, decode: (json: unknown) => Answer): Promise<Answer> {
    const text = await this.#call('GET', path);
    try {
      return decode(JSON.parse(text));
    } catch (cause) {
      throw new ProviderUnavailable(`GET ${this.#base}${path} answered with something else than the provider protocol's`, { cause });
    }
  }

  /** @throws {ProviderError} as {@link ask} */
  async tell(method: Exclude<Method, 'GET'>, path: string, body: object): Promise<void> {
    await this.#call(method, path, JSON.stringify(body));
  }

  /**
   * An answer that goes on. Its head is awaited for the deadline, its end is the caller's: abort, or read it all.
   * @param maxSilenceMs - between two pieces of the body; 0: any
   * @throws {ProviderError} as {@link ask}; reading on throws what broke the stream
   */
  async stream(path: string, maxSilenceMs: number, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const response = await this.#send('GET', path, { headersTimeout: this.#deadlineMs, bodyTimeout: maxSilenceMs, signal });
    if (response.statusCode !== 200) throw await this.#refusal('GET', path, response);
    return response.body;
  }

  /** Ends what is under way. Idempotent. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #call(method: Method, path: string, body?: string): Promise<string> {
    const signal = AbortSignal.timeout(this.#deadlineMs);
    const response = await this.#send(method, path, { signal, ...(body === undefined ? {} : { body }) });
    if (response.statusCode >= 300) throw await this.#refusal(method, path, response);
    return this.#orUnavailable(method, path, response.body.text());
  }

  #send(
    method: Method, path: string, options: Pick<Dispatcher.RequestOptions, 'body' | 'signal' | 'headersTimeout' | 'bodyTimeout'>,
  ): Promise<Dispatcher.ResponseData> {
    const headers = options.body === undefined ? this.#headers : { ...this.#headers, 'content-type': 'application/json' };
    return this.#orUnavailable(method, path, request(`${this.#base}${path}`, { ...options, method, headers, dispatcher: this.#agent }));
  }

  async #orUnavailable<T>(method: Method, path: string, attempt: Promise<T>): Promise<T> {
    try {
      return await attempt;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ProviderUnavailable(`${method} ${this.#base}${path} got no answer: ${why}; is the provider running?`, { cause });
    }
  }

  async #refusal(method: Method, path: string, { statusCode, body }: Dispatcher.ResponseData): Promise<ProviderError> {
    const text = await this.#orUnavailable(method, path, body.text());
    const { code, message } = parseError(text);
    switch (code ?? statusCode) {
      case 'function_not_found':
      case 404:
        return new FunctionNotFound(message);
      case 'function_exists':
      case 409:
        return new FunctionExists(message);
      case 'invalid_function':
      case 400:
        return new InvalidFunction(message);
      case 'unauthorized':
      case 401:
        return new ProviderUnavailable(`the provider at ${this.#base} refuses our credentials: do both sides read the same secrets?`);
      default:
        return new ProviderUnavailable(`${method} ${this.#base}${path} was answered ${statusCode}: ${message}`);
    }
  }
}

function parseError(text: string): { readonly code?: string; readonly message: string } {
  try {
    return errorBody.parse(JSON.parse(text)).error;
  } catch {
    return { message: text.trim().slice(0, 500) };
  }
}
