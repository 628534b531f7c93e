/**
 * A request's body as an event handler sees it, by content type.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { parse as parseQuery } from 'node:querystring';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { BadRequest, readBody } from '../../body.js';
import type { BodySettings } from './event-settings.js';

export interface EventBody {
  readonly body: unknown;
  readonly rawBody: Buffer;
}

/** What a compressed body may grow to when no setting says: its few bytes must not fill the memory. */
const maxInflatedBytes = 64 * 2 ** 20;

const decoders = new Map([
  ['gzip', promisify(gunzip)], ['x-gzip', promisify(gunzip)], ['deflate', promisify(inflate)], ['br', promisify(brotliDecompress)],
]);

/** @throws {BadRequest} too large, not what its type says, or in an encoding nobody knows */
export async function readEventBody(request: IncomingMessage, settings: BodySettings): Promise<EventBody> {
  const [type = '', ...parameters] = (request.headers['content-type'] ?? 'text/plain').toLowerCase().split(';');
  const kind = settings.raw ? 'raw' : kindOf(type.trim());
  const limitBytes = kind === 'json' ? settings.maxJsonBytes : settings.maxRawBytes;
  const rawBody = await readBody(request, limitBytes);
  const bytes = await decode(rawBody, request.headers, limitBytes);
  switch (kind) {
    case 'raw': return { body: bytes, rawBody };
    case 'text': return { body: text(bytes, parameters), rawBody };
    case 'form': return { body: { ...parseQuery(text(bytes, parameters)) }, rawBody };
    case 'json': return { body: bytes.length === 0 ? {} : json(text(bytes, parameters)), rawBody };
  }
}

function kindOf(type: string): 'text' | 'json' | 'form' | 'raw' {
  if (type.startsWith('text/')) return 'text';
  if (type === 'application/json' || /^application\/.+\+json$/.test(type)) return 'json';
  return type === 'application/x-www-form-urlencoded' ? 'form' : 'raw';
}

async function decode(body: Buffer, headers: IncomingHttpHeaders, limitBytes: number): Promise<Buffer> {
  const encoding = (headers['content-encoding'] ?? 'identity').toLowerCase();
  if (encoding === 'identity' || body.length === 0) return body;
  const decoder = decoders.get(encoding);
  if (decoder === undefined) throw new BadRequest(415, `Content-Encoding ${encoding} is not one of gzip, deflate, br`);
  const maxOutputLength = Math.max(1, Math.min(limitBytes, maxInflatedBytes));
  try {
    return await decoder(body, { maxOutputLength });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
      throw new BadRequest(413, `the body is larger than ${maxOutputLength} bytes once decompressed`);
    }
    throw new BadRequest(400, `the body is not valid ${encoding}`);
  }
}

function text(bytes: Buffer, parameters: readonly string[]): string {
  const charset = parameters.map((parameter) => /^\s*charset\s*=\s*"?([^"\s]+)"?\s*$/.exec(parameter)?.[1]).find(Boolean);
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    throw new BadRequest(415, `charset ${charset} is not supported`);
  }
}

function json(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch (error) {
    throw new BadRequest(400, `the body is not valid JSON: ${error instanceof Error ? error.message : 'unreadable'}`);
  }
}
