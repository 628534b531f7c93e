/**
 * Header lists between caller, gateway and function: hop-by-hop headers end here, both ways (RFC 9110 section 7.6.1),
 * and the gateway adds what a function may know of its caller. Raw lists are flat: name, value, name, value …
 */
import type { IncomingMessage } from 'node:http';

const hopByHop = new Set([
  'connection', 'proxy-connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'transfer-encoding', 'upgrade',
]);
// Answered by the server itself: the body is on its way when the request is forwarded.
const onRequestOnly = new Set(['expect']);
const rewritten = new Set(['x-call-id', 'x-start-time', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-uri']);

/** The names a `Connection` header lists, lower-case; most requests list none. */
function connectionNames(value: string | undefined): ReadonlySet<string> | undefined {
  if (value === undefined || value === 'keep-alive' || value === 'close' || value === 'Keep-Alive') return undefined;
  return new Set(value.split(',').map((name) => name.trim().toLowerCase()));
}

/** The caller's end-to-end headers as they came, then `X-Forwarded-*`: flat. */
export function endToEndHeaders(req: IncomingMessage): string[] {
  const listed = connectionNames(req.headers.connection);
  const raw = req.rawHeaders;
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const lower = name.toLowerCase();
    if (hopByHop.has(lower) || onRequestOnly.has(lower) || rewritten.has(lower) || listed?.has(lower)) continue;
    kept.push(name, raw[i + 1] ?? '');
  }
  const sentFor = req.headers['x-forwarded-for'];
  const peer = req.socket.remoteAddress ?? '';
  kept.push('X-Forwarded-For', sentFor === undefined ? peer : `${String(sentFor)}, ${peer}`);
  kept.push('X-Forwarded-Host', String(req.headers['x-forwarded-host'] ?? req.headers.host ?? ''));
  kept.push('X-Forwarded-Uri', String(req.headers['x-forwarded-uri'] ?? req.url ?? ''));
  return kept;
}

/** A function's answer, end to end, as bytes from undici: flat strings, without what is said anew (lower-case names). */
export function answerHeaders(raw: readonly (Buffer | string)[], saidAnew: ReadonlySet<string> = new Set()): string[] {
  let listed: ReadonlySet<string> | undefined;
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = text(raw[i]);
    const lower = name.toLowerCase();
    if (lower === 'connection') listed = connectionNames(text(raw[i + 1]).toLowerCase());
    if (hopByHop.has(lower) || saidAnew.has(lower)) continue;
    kept.push(name, text(raw[i + 1]));
  }
  return listed ? withoutNames(kept, listed) : kept;
}

function withoutNames(flat: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) {
    if (!names.has((flat[i] ?? '').toLowerCase())) kept.push(flat[i] ?? '', flat[i + 1] ?? '');
  }
  return kept;
}

function text(bytes: Buffer | string | undefined): string {
  return typeof bytes === 'string' ? bytes : bytes?.toString('latin1') ?? '';
}
