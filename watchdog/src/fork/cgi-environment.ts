/** What a forked process learns of its request: environment variables named as of-watchdog names them. */
import type { IncomingMessage } from 'node:http';

/**
 * Libraries take these variables, in any case, for the proxy they are to use: a caller must not name one.
 * @see https://httpoxy.org
 */
const proxyHeader = /(^|[-_])proxy$/i;

/**
 * `Http_X_Call_Id` for the header X-Call-Id, every value of a repeated one joined by `, `;
 * and Http_Method, Http_Path, Http_Query, which no header can set. Headers that end in Proxy are left out.
 */
export function cgiEnvironment(request: Pick<IncomingMessage, 'method' | 'url' | 'rawHeaders'>): Record<string, string> {
  const environment: Record<string, string> = {};
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    const header = request.rawHeaders[at] ?? '';
    if (proxyHeader.test(header)) continue;
    const name = `Http_${canonical(header)}`;
    const value = request.rawHeaders[at + 1] ?? '';
    const before = environment[name];
    environment[name] = before === undefined ? value : `${before}, ${value}`;
  }
  const [path = '', ...query] = (request.url ?? '').split('?');
  for (const [name, value] of [['Http_Path', path], ['Http_Query', query.join('?')]] as const) {
    if (value === '') delete environment[name];
    else environment[name] = value;
  }
  environment['Http_Method'] = request.method ?? '';
  return environment;
}

/** As Go writes header names, dashes turned to underscores: `x-call-id` is `X_Call_Id`. */
function canonical(header: string): string {
  return header.toLowerCase().replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase()).replaceAll('-', '_');
}
