/**
 * How a call and a callback are written down, the same on every driver: a NATS header block, then the body as it came.
 *
 *     NATS/1.0\r\n
 *     Nats-Msg-Id: <fresh per accepted request>\r\n      JetStream only
 *     X-Call-Id: <uuid>\r\n
 *     X-Start-Time: <nanoseconds>\r\n
 *     Postern-Method: POST\r\n
 *     Postern-Path: /a%2Fb\r\n                           when not empty
 *     Postern-Query: x=1\r\n                             when not empty
 *     X-Callback-Url: https://…\r\n                      when there is one
 *     <every other header, as it came>\r\n
 *     \r\n
 *
 * Values are HTTP's: no line breaks, bytes above 0x7f as the characters U+0080 to U+00FF (Node's reading), written as
 * UTF-8, which is how NATS clients read them. Headers a caller sent under `Nats-` or `Postern-` are never written:
 * nobody but us steers the broker or the worker.
 */
import type { Call, Callback, HeaderList, Lane } from './call.js';

const versionLine = 'NATS/1.0\r\n';
const reserved = /^(nats-|postern-|x-call-id$|x-start-time$|x-callback-url$)/i;

/** @param messageId - `Nats-Msg-Id`, by which JetStream drops a repeated publish */
export function encodeCallHeaders(call: Call, messageId?: string): Buffer {
  let block = versionLine;
  if (messageId !== undefined) block += `Nats-Msg-Id: ${messageId}\r\n`;
  block += `X-Call-Id: ${call.id}\r\nX-Start-Time: ${call.acceptedNs}\r\nPostern-Method: ${call.method}\r\n`;
  if (call.path !== '') block += `Postern-Path: ${call.path}\r\n`;
  if (call.query !== '') block += `Postern-Query: ${call.query}\r\n`;
  if (call.callbackUrl !== undefined) block += `X-Callback-Url: ${call.callbackUrl}\r\n`;
  for (const [name, value] of call.headers) {
    if (!reserved.test(name)) block += `${name}: ${value}\r\n`;
  }
  return Buffer.from(`${block}\r\n`, 'utf8');
}

/** The reverse of {@link encodeCallHeaders}. */
export function readCall(lane: Lane, written: HeaderList, body: Uint8Array): Call {
  let id = '', acceptedNs = '', method = 'POST', path = '', query = '';
  let callbackUrl: string | undefined;
  const headers: (readonly [string, string])[] = [];
  for (const pair of written) {
    const [name, value] = pair;
    switch (name) {
      case 'Nats-Msg-Id': break;
      case 'X-Call-Id': id = value; break;
      case 'X-Start-Time': acceptedNs = value; break;
      case 'Postern-Method': method = value; break;
      case 'Postern-Path': path = value; break;
      case 'Postern-Query': query = value; break;
      case 'X-Callback-Url': callbackUrl = value; break;
      default: if (!reserved.test(name)) headers.push(pair);
    }
  }
  return { id, lane, method, path, query, headers, body, acceptedNs, ...(callbackUrl === undefined ? {} : { callbackUrl }) };
}

/** A callback's own headers follow two of ours; they are kept whatever their names. */
export function encodeCallbackHeaders(callback: Callback, messageId?: string): Buffer {
  let block = versionLine;
  if (messageId !== undefined) block += `Nats-Msg-Id: ${messageId}\r\n`;
  block += `Postern-Callback-Call-Id: ${callback.callId}\r\nPostern-Callback-Url: ${callback.url}\r\n`;
  for (const [name, value] of callback.headers) {
    if (!/^(nats-|postern-callback-)/i.test(name)) block += `${name}: ${value}\r\n`;
  }
  return Buffer.from(`${block}\r\n`, 'utf8');
}

/** The reverse of {@link encodeCallbackHeaders}. */
export function readCallback(written: HeaderList, body: Uint8Array): Callback {
  let callId = '', url = '';
  const headers: (readonly [string, string])[] = [];
  for (const pair of written) {
    const [name, value] = pair;
    if (name === 'Postern-Callback-Call-Id') callId = value;
    else if (name === 'Postern-Callback-Url') url = value;
    else if (name !== 'Nats-Msg-Id') headers.push(pair);
  }
  return { callId, url, headers, body };
}

/** The lines of a header block, in order; what is no `name: value` is passed over. */
export function decodeHeaderBlock(block: Uint8Array): HeaderList {
  const lines = Buffer.from(block.buffer, block.byteOffset, block.byteLength).toString('utf8').split('\r\n');
  const headers: (readonly [string, string])[] = [];
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] ?? '';
    const colon = line.indexOf(':');
    if (colon > 0) headers.push([line.slice(0, colon), withoutBlanks(line.slice(colon + 1))]);
  }
  return headers;
}

/** HTTP's blanks alone: `trim` would also take U+00A0, which is a byte of the value. */
function withoutBlanks(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
}
