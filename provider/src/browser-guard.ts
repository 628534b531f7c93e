/**
 * What keeps a web page the user happens to visit from steering a server that asks for no credentials: the browser
 * reaches 127.0.0.1 for any page, but it says where the request comes from (`Origin`, `Sec-Fetch-Site`), and a page
 * that renamed its own address to 127.0.0.1 (DNS rebinding) betrays itself by its name in `Host`.
 * Programs send none of this and pass. Not here: authentication (basic-auth.ts).
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isIPv4 } from 'node:net';
import { answerError, type Middleware } from './http-answer.js';

const harmless = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * @param names - hosts besides the loopback ones under which the server is rightly reached, without a port
 * @returns why the request is refused, and what to do; `undefined` when it may pass
 */
export function browserRefusal(
  method: string, headers: IncomingHttpHeaders, names: readonly string[],
): string | undefined {
  const host = headers.host?.toLowerCase() ?? '';
  // An IPv6 address stands in brackets there, and nowhere else.
  const hostname = /^(\[[^[\]]*\]|[^:]*)(:\d+)?$/.exec(host)?.[1]?.replace(/[[\]]/g, '') ?? '';
  if (!isLoopback(hostname) && !names.some((name) => name.toLowerCase() === hostname)) {
    return `the Host "${host}" is not one of this server's: set basic_auth, or name it in allowed_hosts`;
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

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost')
    || (isIPv4(hostname) && hostname.startsWith('127.')) || hostname === '::1';
}

/** Answers 403 to what {@link browserRefusal} refuses. For servers without credentials. */
export function browserGuard(names: readonly string[]): Middleware {
  return (request, response, next) => {
    const refusal = browserRefusal(request.method ?? '', request.headers, names);
    if (refusal === undefined) return next();
    answerError(response, 403, 'forbidden', refusal);
  };
}
