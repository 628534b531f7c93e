/**
 * A server that asks for no credentials serves this machine alone, and not the web pages its user happens to visit:
 * the browser reaches 127.0.0.1 for any page, but it says where the request comes from (`Origin`, `Sec-Fetch-Site`),
 * and a page that renamed its own address to 127.0.0.1 (DNS rebinding) betrays itself by its name in `Host`.
 * Programs of this machine send none of this and pass. Not here: authentication (basic-auth.ts).
 */
import type { IncomingMessage } from 'node:http';
import { isLoopbackHost } from '@postern/settings';
import { answerError, type Middleware } from './http-answer.js';

const harmless = new Set(['GET', 'HEAD', 'OPTIONS']);

/** @returns why the request is refused, and what to do; `undefined` when it may pass */
export function browserRefusal(
  { method = '', headers, socket }: Pick<IncomingMessage, 'method' | 'headers'> & { readonly socket: { readonly localAddress?: string | undefined } },
): string | undefined {
  // `Host` says what its sender likes; the address the connection came in on does not.
  if (!isLoopbackHost(socket.localAddress ?? '')) return 'this server asks for no credentials and so serves its own machine alone: set basic_auth';
  const host = headers.host?.toLowerCase() ?? '';
  // An IPv6 address stands in brackets there, and nowhere else.
  const hostname = /^(\[[^[\]]*\]|[^:]*)(:\d+)?$/.exec(host)?.[1]?.replace(/[[\]]/g, '') ?? '';
  if (!isLoopbackHost(hostname) && !hostname.endsWith('.localhost')) {
    return `the Host "${host}" is not one of this machine's own: call it localhost, or set basic_auth`;
  }
  if (harmless.has(method)) return undefined;
  const site = headers['sec-fetch-site'];
  if (site === 'cross-site' || site === 'same-site') return 'a page of another site may not change anything here: send it from a program, or from a page of this server';
  const { origin } = headers;
  // `null`, a sandboxed page's origin, is no URL and belongs to nobody.
  if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host)) {
    return `a page of ${origin} may not change anything here: send it from a program, or from a page of this server`;
  }
  return undefined;
}

/** Answers 403 to what {@link browserRefusal} refuses. For servers without credentials. */
export const browserGuard: Middleware = (request, response, next) => {
  const refusal = browserRefusal(request);
  if (refusal === undefined) return next();
  answerError(response, 403, 'forbidden', refusal);
};
