/**
 * The `Request` a web handler is given. It reads Node's request where it stands, and only becomes the platform's class
 * (7 µs, and a stream around the body) when somebody asks for what that alone can do.
 */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { inspect } from 'node:util';
import { BadRequest, readBody } from '../../body.js';

const Native = globalThis.Request;

export class WebRequest implements Request {
  readonly #message: IncomingMessage;
  /** Asked for when needed: the server makes it then. */
  readonly #signalOf: { readonly signal: AbortSignal };
  readonly url: string;
  #headers: Headers | undefined;
  #native: Request | undefined;
  #read = false;

  /** @throws {BadRequest} the URL that Host and path make is none */
  constructor(message: IncomingMessage, signalOf: { readonly signal: AbortSignal }) {
    this.#message = message;
    this.#signalOf = signalOf;
    this.url = urlOf(message);
  }

  /** The platform's own request, when the value is one of these. */
  static unwrap<Input>(input: Input): Input | Request {
    return typeof input === 'object' && input !== null && #message in input ? input.#become() : input;
  }

  get method(): string { return this.#message.method ?? 'GET'; }
  get headers(): Headers { return this.#headers ??= headersOf(this.#message); }
  get signal(): AbortSignal { return this.#native?.signal ?? this.#signalOf.signal; }
  get body(): Request['body'] { return this.#become().body; }
  get bodyUsed(): boolean { return this.#read || (this.#native?.bodyUsed ?? false); }

  async text(): Promise<string> {
    if (this.#native) return this.#native.text();
    return withoutMark((await this.#bytes()).toString());
  }
  async json(): Promise<unknown> {
    if (this.#native) return this.#native.json();
    return JSON.parse(withoutMark((await this.#bytes()).toString()));
  }
  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer;
  }
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    // A copy: Node's small buffers share memory with each other.
    return new Uint8Array(this.#native ? await this.#native.arrayBuffer() : await this.#bytes());
  }
  blob(): Promise<Blob> { return this.#become().blob(); }
  formData(): Promise<FormData> { return this.#become().formData(); }
  clone(): Request { return this.#become().clone(); }

  get cache(): Request['cache'] { return this.#become().cache; }
  get credentials(): Request['credentials'] { return this.#become().credentials; }
  get destination(): Request['destination'] { return this.#become().destination; }
  get duplex(): Request['duplex'] { return 'half'; }
  get integrity(): string { return this.#become().integrity; }
  get keepalive(): boolean { return this.#become().keepalive; }
  get mode(): Request['mode'] { return this.#become().mode; }
  get redirect(): Request['redirect'] { return this.#become().redirect; }
  get referrer(): string { return this.#become().referrer; }
  get referrerPolicy(): Request['referrerPolicy'] { return this.#become().referrerPolicy; }

  [inspect.custom](): unknown { return this.#become(); }

  #bytes(): Promise<Buffer> {
    if (this.#read) return Promise.reject(new TypeError('Body is unusable: Body has already been read'));
    this.#read = true;
    return readBody(this.#message);
  }

  #become(): Request {
    if (this.#native === undefined) {
      if (this.#read) throw new TypeError('Body is unusable: Body has already been read');
      const { method } = this;
      const bodiless = method === 'GET' || method === 'HEAD';
      // Node's and the platform's declarations of one and the same class differ.
      const body = bodiless ? null : Readable.toWeb(this.#message) as ReadableStream<Uint8Array>;
      this.#native = new Native(this.url, {
        method, headers: this.headers, body, duplex: 'half', signal: this.#signalOf.signal,
      });
      this.#headers = this.#native.headers;
    }
    return this.#native;
  }
}

// Whatever looks at the class finds the platform's.
Object.setPrototypeOf(WebRequest.prototype, Native.prototype);
Object.defineProperty(WebRequest, 'name', { value: 'Request' });

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '');
  return headers;
}

/** The last Host seen and the origin it makes: nearly every request has the same. */
let lastHost = '';
let lastOrigin = '';

function urlOf({ url = '/', headers }: IncomingMessage): string {
  const host = headers.host ?? 'localhost';
  try {
    if (host !== lastHost) {
      if (/[/?#@\\]/.test(host)) throw new TypeError('more than a host');
      lastOrigin = new URL(`http://${host}`).origin;
      lastHost = host;
    }
    // What a URL parser would leave as it is; anything else is given to one.
    return /^\/[\w~!$&()*+,;=:@/?.-]*$/.test(url) && !url.includes('/.')
      ? lastOrigin + url
      : new URL(url.startsWith('/') ? lastOrigin + url : url, lastOrigin).href;
  } catch (error) {
    if (error instanceof TypeError) throw new BadRequest(400, 'the Host header and the path make no valid URL');
    throw error;
  }
}

/** A byte order mark is no part of the text. */
function withoutMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}
