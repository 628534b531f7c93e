/**
 * The response a runner writes to: it adds X-Duration-Seconds and notes what the access log wants to know.
 * The methods are set on the object, not on the class, because Express exchanges a response's prototype.
 */
import { ServerResponse, type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders } from 'node:http';

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[];

const durationHeader = 'X-Duration-Seconds';
const plainWriteHead = ServerResponse.prototype.writeHead;
const plainEnd = ServerResponse.prototype.end;

/** A response that knows when its request came. */
export class FunctionResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  /** When the request's head was read, by performance.now(). */
  readonly startedMs = performance.now();
  /** The body's length for the access log; -1 when it was not known with the head. */
  contentLength = -1;

  constructor(...parameters: ConstructorParameters<typeof ServerResponse<Request>>) {
    super(...parameters);
    // `this` is the instance in both, which the types of a function apart cannot say.
    this.writeHead = writeHead as typeof this.writeHead;
    this.end = end as typeof this.end;
  }
}

/** @throws {RangeError} an interim status: the client would wait for the final one for ever */
function writeHead(this: FunctionResponse, status: number, reason?: string | Headers, headers?: Headers): FunctionResponse {
  if (status < 200) throw new RangeError(`the function answered with status ${status}, which is no final one`);
  const given = typeof reason === 'string' ? headers : reason;
  const seconds = ((performance.now() - this.startedMs) / 1_000).toFixed(6);
  // A list given with the head goes out as it is; beside headers set before, Node would have to merge it.
  const bare = given ?? (this.getHeaderNames().length === 0 ? [] : undefined);
  const all = bare === undefined ? undefined : withDuration(bare, seconds);
  if (all === undefined) this.setHeader(durationHeader, seconds);
  const length = (given === undefined ? undefined : contentLengthOf(given)) ?? this.getHeader('content-length');
  if (length !== undefined) this.contentLength = Number(length);
  if (typeof reason === 'string') Reflect.apply(plainWriteHead, this, [status, reason, all]);
  else Reflect.apply(plainWriteHead, this, [status, all]);
  return this;
}

function withDuration(given: Headers, seconds: string): Headers {
  if (!Array.isArray(given)) return { ...given, [durationHeader]: seconds };
  // Node also takes a list of pairs.
  return Array.isArray(given[0]) ? [...given, [durationHeader, seconds]] : [...given, durationHeader, seconds];
}

function contentLengthOf(given: Headers): unknown {
  if (!Array.isArray(given)) return given['content-length'] ?? given['Content-Length'];
  for (let at = 0; at < given.length; at += 2) {
    const name = given[at];
    if (typeof name === 'string' && name.length === 14 && name.toLowerCase() === 'content-length') return given[at + 1];
  }
  return undefined;
}

function end(this: FunctionResponse, ...parameters: unknown[]): FunctionResponse {
  const [chunk] = parameters;
  // With its head unsent an answer is whole: Node says its length by itself.
  if (!this.headersSent && this.contentLength === -1) {
    this.contentLength = typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk instanceof Uint8Array ? chunk.length : 0;
  }
  Reflect.apply(plainEnd, this, parameters);
  return this;
}
