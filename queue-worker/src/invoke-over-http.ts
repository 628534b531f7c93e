/** Invoke for a worker in a process of its own: POSTs to the gateway's `/function/NAME.NAMESPACE`. */
import { Pool } from 'undici';
import { Deadlines } from './deadlines.js';
import { AnswerTooLarge } from './errors.js';
import { exchange } from './http-exchange.js';
import { type Invoke, functionHeaders } from './invoke.js';

export interface InvokeOverHttpOptions {
  /** Without a slash at its end; may have a path of its own. */
  readonly gatewayUrl: string;
  /** 0: no limit. */
  readonly upstreamTimeoutMs: number;
  readonly maxBodyBytes: number;
}

// The gateway's own timeout should come first: its 504 says more than ours can.
const allowanceMs = 5_000;
// What the gateway takes from a function, and its own headers.
const maxAnswerHeaderBytes = 1_024 * 1_024 + 4_096;
// Without a callback nobody gets the body; this much is kept, because an error of the gateway's is told by its code.
const errorBytes = 16_384;

export function invokeOverHttp(options: InvokeOverHttpOptions): { readonly invoke: Invoke; close(): Promise<void> } {
  const { origin, pathname } = new URL(options.gatewayUrl);
  const prefix = `${pathname.replace(/\/$/, '')}/function/`;
  const { maxBodyBytes } = options;
  const deadlines = new Deadlines();
  // One request a connection: a slow function holds up nobody. How many there are is the lanes' business.
  const pool = new Pool(origin, { pipelining: 1, maxHeaderSize: maxAnswerHeaderBytes, connect: { timeout: 5_000 } });
  const limits = {
    timeoutMs: options.upstreamTimeoutMs === 0 ? Infinity : options.upstreamTimeoutMs + allowanceMs,
    timeoutMessage: `The gateway did not answer within upstream_timeout (${options.upstreamTimeoutMs} ms) and ${allowanceMs} ms more.`,
  };
  const forCallback = { ...limits, maxBodyBytes, whenLonger: () => new AnswerTooLarge(maxBodyBytes) };
  const forNobody = { ...limits, maxBodyBytes: errorBytes, whenLonger: 'drop' } as const;
  return {
    invoke: (call, attempt, signal) => {
      const target = `${prefix}${call.lane.function}.${call.lane.namespace}${call.path}${call.query === '' ? '' : `?${call.query}`}`;
      const request = { origin, target, method: call.method, headers: functionHeaders(call, attempt), body: call.body };
      return exchange(pool, request, { ...(call.callbackUrl === undefined ? forNobody : forCallback), signal }, deadlines);
    },
    close: () => pool.destroy(),
  };
}
