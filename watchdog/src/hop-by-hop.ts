/**
 * Headers that end at this hop are dropped, all others are passed on as they came: their case, order and repetitions.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
 */

/**
 * `expect` too: the server has answered it itself. Credentials for a proxy are for no function. And `x-openfaas-internal` marks an
 * answer as its sender's own: one that a function passes on from elsewhere is the function's.
 */
export const hopByHop: ReadonlySet<string> = new Set([
  'connection', 'expect', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer',
  'transfer-encoding', 'upgrade', 'x-openfaas-internal',
]);
const lengths = new Set(Array.from(hopByHop, (name) => name.length));

/**
 * @param raw - names and values by turns
 * @returns the same without those of this hop, and without those that Connection names
 */
export function endToEndHeaders(raw: readonly string[]): string[] {
  const kept: string[] = [];
  let named: string[] | undefined;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? '';
    const value = raw[at + 1] ?? '';
    if (lengths.has(name.length)) {
      const lower = name.toLowerCase();
      if (lower === 'connection') named = namedBy(value, named);
      if (hopByHop.has(lower)) continue;
    }
    kept.push(name, value);
  }
  return named === undefined ? kept : withoutNamed(kept, named);
}

function namedBy(connection: string, before: string[] | undefined): string[] | undefined {
  const lower = connection.toLowerCase();
  if (lower === 'keep-alive' || lower === 'close') return before;
  return [...before ?? [], ...lower.split(',').map((name) => name.trim())];
}

function withoutNamed(headers: readonly string[], named: readonly string[]): string[] {
  return headers.filter((_, at) => !named.includes((headers[at - (at % 2)] ?? '').toLowerCase()));
}
