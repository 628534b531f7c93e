/** What the tests here share: a call, a delivery, a silent log, and HTTP servers that do as they are told. */
import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { Call, Delivery } from '@postern/queue';
import { type Logger, pino } from 'pino';

export const silent: Logger = pino({ level: 'silent' });

export function makeCall(over: Partial<Call> = {}): Call {
  return {
    id: '5b0b6a3e-0000-4000-8000-000000000001', lane: { queue: 'default', namespace: 'openfaas-fn', function: 'wordcount' }, method: 'POST',
    path: '', query: '', headers: [], body: Buffer.from('a b c'), acceptedNs: '1795000000000000001', ...over,
  };
}

export function deliveryOf<Item>(item: Item, attempt = 1, signal: Delivery<Item>['signal'] = new AbortController().signal): Delivery<Item> {
  return { item, attempt, signal };
}

/** A logger that keeps its lines. */
export function recordingLog(): { readonly log: Logger; readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => { lines.push(JSON.parse(line) as Record<string, unknown>); } });
  return { log, lines };
}

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/** An HTTP server on loopback that keeps every request it has read and answers as told. */
export async function startServer(
  answer: (res: ServerResponse, seen: SeenRequest, count: number) => void,
): Promise<{ readonly url: string; readonly host: string; readonly port: number; readonly seen: SeenRequest[]; close(): Promise<void> }> {
  const seen: SeenRequest[] = [];
  const server = createServer((req, res) => {
    void buffer(req).then((body) => {
      const request = { method: req.method ?? '', url: req.url ?? '', headers: req.headers, rawHeaders: req.rawHeaders, body };
      seen.push(request);
      answer(res, request, seen.length);
    }, () => { res.destroy(); });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Cast: a TCP server's address is never a path.
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return { url: `http://127.0.0.1:${port}`, host: `127.0.0.1:${port}`, port, seen, close };
}

/** Resolves once the condition holds. @throws after ten seconds */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
}
