/**
 * How the worker has a function run: one port, two ways behind it. In the gateway's process it is the gateway's router;
 * elsewhere it is HTTP (invoke-over-http.ts). Also what every way must tell the function about the call.
 */
import type { Call, HeaderList } from '@postern/queue';

/**
 * Runs one attempt and resolves with the function's answer, or with one of the gateway's or watchdog's own making, which
 * carries `X-OpenFaaS-Internal`. Holds its own deadline.
 * @param attempt - counted from 1
 * @throws {ExchangeError} no usable answer
 * @throws the signal's reason when it is aborted; the function is told by its connection
 */
export type Invoke = (call: Call, attempt: number, signal: AbortSignal) => Promise<Answer>;

export interface Answer {
  readonly status: number;
  readonly headers: HeaderList;
  /** To the byte as it was sent, content encoding included. For a call without a callback it may be cut short: its status decides. */
  readonly body: Uint8Array;
}

/** What belongs to a connection and not to what is sent over it: neither a call nor an answer takes it along. Lower case. */
export const ofTheConnection: readonly string[] = [
  'connection', 'proxy-connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'transfer-encoding', 'upgrade',
  'host', 'content-length', 'expect',
];

// Ours to say: the names of functionHeaders.
const replaced = new Set(['x-call-id', 'x-attempt', 'x-start-time', 'x-callback-url', ...ofTheConnection]);

/**
 * The headers of an attempt: the caller's own, `User-Agent` included, and what the function may know of its call.
 * @returns flat: name, value, name, value …
 */
export function functionHeaders(call: Call, attempt: number): string[] {
  const headers: string[] = [];
  for (const [name, value] of call.headers) {
    if (!replaced.has(name.toLowerCase())) headers.push(name, value);
  }
  headers.push('X-Call-Id', call.id, 'X-Attempt', String(attempt), 'X-Start-Time', call.acceptedNs);
  if (call.callbackUrl !== undefined) headers.push('X-Callback-Url', call.callbackUrl);
  return headers;
}
