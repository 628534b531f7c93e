/**
 * The `Response` a web handler makes. Most are a short text and a few headers, for which the platform's own class costs
 * more than all the rest of the call (13 µs to make and read back, against some 2): so this one keeps what it was
 * given, and only becomes the platform's when somebody asks for what that alone can do.
 */
import { inspect } from 'node:util';

const Native = globalThis.Response;

type BodyInit = ConstructorParameters<typeof Response>[0];
type HeadersInit = ConstructorParameters<typeof Headers>[0];

/** What can be sent as it is, without a stream. */
type PlainBody = string | Uint8Array<ArrayBuffer> | null;

/** A response as `ServerResponse.writeHead` takes it: names and values in turn. */
export interface PlainResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly string[];
  readonly body: PlainBody;
}

const textType = 'text/plain;charset=UTF-8';

export class WebResponse implements Response {
  /** Undefined once (or if ever) the platform's class holds the body. */
  #body: PlainBody | undefined;
  #status = 200;
  #statusText = '';
  /** Names and values in turn, until somebody asks for the Headers. */
  #given: string[] = [];
  #headers: Headers | undefined;
  #native: Response | undefined;

  constructor(body?: BodyInit, init?: ResponseInit) {
    const given = body instanceof Uint8Array ? new Uint8Array(body) : body ?? null;
    const status = init?.status ?? 200;
    const plain = (given === null || typeof given === 'string' || given instanceof Uint8Array)
      && status >= 200 && status <= 599 && Number.isInteger(status)
      && !(given !== null && (status === 204 || status === 205 || status === 304));
    if (!plain) {
      // Streams, blobs and forms; and what is wrong, for the platform to refuse in its own words.
      this.#native = new Native(body, init);
      this.#status = this.#native.status;
      this.#statusText = this.#native.statusText;
      this.#headers = this.#native.headers;
      return;
    }
    this.#body = given;
    this.#status = status;
    this.#statusText = String(init?.statusText ?? '');
    this.#given = pairs(init?.headers);
    if (typeof given === 'string' && !hasName(this.#given, 'content-type')) this.#given.push('content-type', textType);
  }

  static json(value: unknown, init?: ResponseInit): Response {
    const text = JSON.stringify(value);
    // The platform's own words for what is no JSON.
    if (text === undefined) return Native.json(value, init);
    const headers = pairs(init?.headers);
    if (!hasName(headers, 'content-type')) headers.push('content-type', 'application/json');
    const response = new WebResponse(text, { status: init?.status ?? 200, statusText: init?.statusText ?? '' });
    response.#given = headers;
    return response;
  }

  static error(): Response {
    return Native.error();
  }

  static redirect(...parameters: Parameters<typeof Response.redirect>): Response {
    return Native.redirect(...parameters);
  }

  /** What `fetch` returns is a Response too. */
  static [Symbol.hasInstance](value: unknown): boolean {
    return this === WebResponse ? value instanceof Native : Function.prototype[Symbol.hasInstance].call(this, value);
  }

  /** The response ready to be sent; undefined when its body is a stream. */
  static plain(response: Response): PlainResponse | undefined {
    if (!(#body in response) || response.#body === undefined) return undefined;
    const status = response.#status;
    const body = response.#body;
    let headers = response.#headers === undefined ? response.#given : [...response.#headers].flat();
    if (body !== null) headers = [...without(headers, 'content-length'), 'content-length', String(Buffer.byteLength(body))];
    else if (status !== 204 && status !== 304 && !hasName(headers, 'content-length')) headers = [...headers, 'content-length', '0'];
    return { status, statusText: response.#statusText, headers, body };
  }

  get status(): number { return this.#status; }
  get statusText(): string { return this.#statusText; }
  get ok(): boolean { return this.#status >= 200 && this.#status <= 299; }
  get headers(): Headers {
    return this.#headers ??= new Headers(toEntries(this.#given));
  }
  get type(): Response['type'] { return 'default'; }
  get url(): string { return ''; }
  get redirected(): boolean { return false; }
  get body(): Response['body'] { return this.#become().body; }
  get bodyUsed(): boolean { return this.#native?.bodyUsed ?? false; }

  text(): Promise<string> { return this.#become().text(); }
  json(): Promise<unknown> { return this.#become().json(); }
  arrayBuffer(): Promise<ArrayBuffer> { return this.#become().arrayBuffer(); }
  bytes(): Promise<Uint8Array<ArrayBuffer>> { return this.arrayBuffer().then((buffer) => new Uint8Array(buffer)); }
  blob(): Promise<Blob> { return this.#become().blob(); }
  formData(): Promise<FormData> { return this.#become().formData(); }
  clone(): Response {
    const { status, statusText, headers } = this;
    if (this.#body !== undefined) return new WebResponse(this.#body, { status, statusText, headers });
    return new WebResponse(this.#become().clone().body, { status, statusText, headers });
  }

  [inspect.custom](): unknown { return this.#become(); }

  #become(): Response {
    if (this.#native === undefined) {
      this.#native = new Native(this.#body, { status: this.#status, statusText: this.#statusText, headers: this.headers });
      this.#body = undefined;
    }
    return this.#native;
  }
}

// Whatever looks at the class finds the platform's.
Object.setPrototypeOf(WebResponse.prototype, Native.prototype);
Object.defineProperty(WebResponse, 'name', { value: 'Response' });

/** A copy, so that what the handler does to its headers later is not sent. */
function pairs(init: HeadersInit | undefined): string[] {
  if (init === undefined) return [];
  const flat: string[] = [];
  if (Array.isArray(init) || init instanceof Headers) {
    for (const [name, value] of init) flat.push(String(name), String(value));
  } else {
    for (const [name, value] of Object.entries(init)) flat.push(name, String(value));
  }
  return flat;
}

function hasName(flat: readonly string[], name: string): boolean {
  for (let at = 0; at < flat.length; at += 2) if (flat[at]?.toLowerCase() === name) return true;
  return false;
}

function without(flat: readonly string[], name: string): readonly string[] {
  return hasName(flat, name) ? toEntries(flat).filter(([given]) => given.toLowerCase() !== name).flat() : flat;
}

function toEntries(flat: readonly string[]): [string, string][] {
  const entries: [string, string][] = [];
  for (let at = 0; at < flat.length; at += 2) entries.push([flat[at] ?? '', flat[at + 1] ?? '']);
  return entries;
}
