/** `GET /system/logs`: a function's log as lines of JSON, each sent as it comes, until its end or the client's leave. */
import { pipeline } from 'node:stream/promises';
import type { RequestHandler } from 'express';
import { z } from 'zod';
import type { LogLine, LogQuery, Provider } from '../provider.js';
import { BadLogQuery } from './error-status.js';
import { startLines, type OpenStreams } from './streams.js';

/** What a query that names neither `since` nor `tail` shows, as OpenFaaS. */
const recentMs = 5 * 60_000;

const logQuery = z.object({
  name: z.string({ error: 'the name of a function' }).min(1, 'the name of a function'),
  namespace: z.string({ error: 'one namespace' }).optional(),
  instance: z.string({ error: 'one replica' }).regex(/^([A-Za-z0-9][-._A-Za-z0-9]*)?$/, 'the name of a replica').optional(),
  tail: z.string().regex(/^-?\d{1,9}$/, 'a whole number').transform(Number).optional(),
  since: z.iso.datetime({ offset: true, error: 'a time as RFC 3339 writes it' }).transform((text) => new Date(text)).optional(),
  follow: z.enum(['true', 'false', '1', '0'], { error: 'true or false' }).optional(),
});

/** @throws {BadLogQuery} naming every wrong part */
export function parseLogQuery(query: unknown, defaultNamespace: string, now = Date.now()): Omit<LogQuery, 'signal'> {
  const parsed = logQuery.safeParse(query);
  if (!parsed.success) {
    throw new BadLogQuery(parsed.error.issues.map((issue) => `${issue.path.join('.')}: expected ${issue.message}`).join('; '));
  }
  const { name, namespace, instance, tail, since, follow } = parsed.data;
  const earliest = since ?? (tail === undefined ? new Date(now - recentMs) : undefined);
  return {
    name,
    namespace: namespace || defaultNamespace,
    follow: follow === 'true' || follow === '1',
    ...(instance ? { instance } : {}),
    ...(tail !== undefined && tail > 0 ? { tail } : {}),
    ...(earliest === undefined ? {} : { since: earliest }),
  };
}

export function logsRoute(provider: Provider, streams: OpenStreams, defaultNamespace: string): RequestHandler {
  return async (request, response) => {
    const query = parseLogQuery(request.query, defaultNamespace);
    const signal = streams.open(response);
    const lines = await provider.logs({ ...query, signal });
    startLines(response);
    try {
      await pipeline(encodeLines(lines, signal), response);
    } catch (error) {
      // A client that leaves is the usual end of a followed log.
      if (!signal.aborted) throw error;
    }
  };
}

async function* encodeLines(lines: AsyncIterable<LogLine>, signal: AbortSignal): AsyncGenerator<string> {
  try {
    for await (const line of lines) yield `${JSON.stringify(line)}\n`;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
