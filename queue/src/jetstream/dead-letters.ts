/**
 * A dead letter: the message as it was, and before its headers the cause.
 *
 *     Nats-Msg-Id: dead-<stream>-<seq>-<stored, ns>
 *     Postern-Dead-Call-Id: <uuid>
 *     Postern-Dead-Code: status
 *     Postern-Dead-Message: The function answered 400.
 *     Postern-Dead-Status: 400                              when there was an answer
 *     Postern-Dead-Attempts: 3
 *     <the message's own headers>
 */
import type { HeaderList } from '../call.js';
import { decodeHeaderBlock } from '../call-codec.js';
import type { Cause } from '../outcome.js';
import type { DeadLetter } from '../queue.js';
import { type Api, ApiError, errCodes } from './api.js';
import { deadSubject, streams } from './streams.js';

/** Of a cause's code and of its message. */
const longestTextBytes = 600;

export interface DeadLetterHeaders {
  readonly messageId: string;
  readonly callId: string;
  readonly cause: Cause;
  /** The message's headers, as read. */
  readonly written: HeaderList;
}

export function encodeDeadLetterHeaders({ messageId, callId, cause, written }: DeadLetterHeaders): Buffer {
  let block = `NATS/1.0\r\nNats-Msg-Id: ${messageId}\r\nPostern-Dead-Call-Id: ${callId}\r\nPostern-Dead-Code: ${line(cause.code)}\r\n`;
  block += `Postern-Dead-Message: ${line(cause.message)}\r\nPostern-Dead-Attempts: ${cause.attempts}\r\n`;
  if (cause.status !== undefined) block += `Postern-Dead-Status: ${cause.status}\r\n`;
  for (const [name, value] of written) {
    if (!/^(nats-|postern-dead-)/i.test(name)) block += `${name}: ${value}\r\n`;
  }
  return Buffer.from(`${block}\r\n`, 'utf8');
}

/** Texts come from errors and functions: they must not end the header. */
function line(text: string): string {
  const bytes = Buffer.from(text.replaceAll(/\s+/g, ' '));
  // As a stream's first part: a character that is cut in two is left out.
  return new TextDecoder().decode(bytes.subarray(0, longestTextBytes), { stream: true });
}

/** One stored message, as `STREAM.MSG.GET` answers. */
interface StoredMessage {
  readonly message: { readonly subject: string; readonly hdrs?: string; readonly data?: string; readonly time: string };
}

/** Asked for at a time. */
const chunk = 64n;

/** The newest first. Sequences go by text and BigInt: they may exceed 2^53. */
export async function readDeadLetters(api: Api, limit: number): Promise<readonly DeadLetter[]> {
  const info = await api.askText(`STREAM.INFO.${streams.dead}`, '');
  const state = info.slice(info.indexOf('"state":'));
  const number = (field: string): bigint => BigInt(new RegExp(`"${field}":\\s*(\\d+)`).exec(state)?.[1] ?? 0);
  const first = number('first_seq');
  const wanted = Math.min(limit, Number(number('messages')));
  const letters: DeadLetter[] = [];
  for (let last = number('last_seq'); letters.length < wanted && last >= first && last > 0n; last -= chunk) {
    const sequences = Array.from({ length: Number(chunk) }, (_, i) => last - BigInt(i)).filter((each) => each >= first && each > 0n);
    const found = await Promise.all(sequences.map((sequence) => readDeadLetter(api, sequence)));
    for (const letter of found) if (letter && letters.length < wanted) letters.push(letter);
  }
  return letters;
}

/** @returns `undefined` when it has been removed */
async function readDeadLetter(api: Api, sequence: bigint): Promise<DeadLetter | undefined> {
  try {
    const text = await api.askText(`STREAM.MSG.GET.${streams.dead}`, `{"seq": ${sequence}}`);
    // The answer's shape is JetStream's.
    return decodeDeadLetter((JSON.parse(text) as StoredMessage).message);
  } catch (err) {
    if (err instanceof ApiError && err.errCode === errCodes.messageNotFound) return undefined;
    throw err;
  }
}

function decodeDeadLetter({ subject, hdrs = '', data = '', time }: StoredMessage['message']): DeadLetter {
  const headers: (readonly [string, string])[] = [];
  const ours = new Map<string, string>();
  for (const pair of decodeHeaderBlock(Buffer.from(hdrs, 'base64'))) {
    const [name, value] = pair;
    if (name.startsWith('Postern-Dead-')) ours.set(name.slice('Postern-Dead-'.length), value);
    else if (name !== 'Nats-Msg-Id') headers.push(pair);
  }
  const status = ours.get('Status');
  return {
    callId: ours.get('Call-Id') ?? '',
    lane: subject.slice(deadSubject('').length),
    cause: {
      code: ours.get('Code') ?? '',
      message: ours.get('Message') ?? '',
      attempts: Number(ours.get('Attempts') ?? 0),
      ...(status === undefined ? {} : { status: Number(status) }),
    },
    headers,
    body: Buffer.from(data, 'base64'),
    diedAtMs: Date.parse(time),
  };
}
