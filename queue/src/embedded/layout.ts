/**
 * How the embedded queue lies on disk: keys and values of its LMDB databases, nothing of when they are written.
 * All numbers are big-endian, so that byte order is delivery order.
 *
 *     database   key                                    value
 *     lanes      lane key, as text                      lane id, u32
 *     calls      lane id u32 │ sequence u64             head length u32 │ header block │ body
 *     tries      lane id u32 │ sequence u64             deliveries so far u32 │ due u64, 0 when not waiting
 *     later      lane id u32 │ due u64 │ sequence u64   nothing
 *     dead       sequence u64                           head length u32 │ JSON: lane, cause, diedAtMs │ value from `calls`
 *
 * A call is in `calls` from its publish until it is settled, whatever becomes of it in between. `tries` holds those
 * that were delivered at least once; one that waits for its next try is in `later` too, ordered by when it is due
 * (milliseconds since the epoch). Lane 0 is the callbacks'. The header block is call-codec.ts's.
 */
import type { Cause } from '../outcome.js';

export const callbackLaneId = 0;

export interface Tries {
  /** How often the call was delivered. */
  readonly attempts: number;
  /** When its next try is due; 0 when it waits for none. */
  readonly dueMs: number;
}

/** What is known of a dead letter besides the call itself. */
export interface DeathNote {
  readonly lane: string;
  readonly cause: Cause;
  readonly diedAtMs: number;
}

const keyBytes = 12;
const laterKeyBytes = 20;
const high = 2 ** 32;

function writeU64(target: Buffer, value: number, at: number): void {
  target.writeUInt32BE(Math.floor(value / high), at);
  target.writeUInt32BE(value % high, at + 4);
}

function readU64(source: Buffer, at: number): number {
  return source.readUInt32BE(at) * high + source.readUInt32BE(at + 4);
}

export function encodeLaneId(id: number): Buffer {
  const value = Buffer.allocUnsafe(4);
  value.writeUInt32BE(id);
  return value;
}

export function decodeLaneId(value: Buffer): number {
  return value.readUInt32BE(0);
}

/** For `calls` and `tries`; with sequence 0, where the lane begins. */
export function callKey(laneId: number, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(keyBytes);
  key.writeUInt32BE(laneId);
  writeU64(key, sequence, 4);
  return key;
}

export function sequenceOfCallKey(key: Buffer): number {
  return readU64(key, 4);
}

export function laterKey(laneId: number, dueMs: number, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(laterKeyBytes);
  key.writeUInt32BE(laneId);
  writeU64(key, dueMs, 4);
  writeU64(key, sequence, 12);
  return key;
}

export function decodeLaterKey(key: Buffer): { readonly dueMs: number; readonly sequence: number } {
  return { dueMs: readU64(key, 4), sequence: readU64(key, 12) };
}

export function encodeTries(tries: Tries): Buffer {
  const value = Buffer.allocUnsafe(12);
  value.writeUInt32BE(tries.attempts);
  writeU64(value, tries.dueMs, 4);
  return value;
}

export function decodeTries(value: Buffer): Tries {
  return { attempts: value.readUInt32BE(0), dueMs: readU64(value, 4) };
}

export function deadKey(sequence: number): Buffer {
  const key = Buffer.allocUnsafe(8);
  writeU64(key, sequence, 0);
  return key;
}

export function sequenceOfDeadKey(key: Buffer): number {
  return readU64(key, 0);
}

/** A head and what follows it, in one piece: a header block and a body, or a death note and a call. */
export function joinParts(head: Buffer, rest: Uint8Array): Buffer {
  const value = Buffer.allocUnsafe(4 + head.length + rest.length);
  value.writeUInt32BE(head.length);
  value.set(head, 4);
  value.set(rest, 4 + head.length);
  return value;
}

export function splitParts(value: Buffer): { readonly head: Buffer; readonly rest: Buffer } {
  const end = 4 + value.readUInt32BE(0);
  return { head: value.subarray(4, end), rest: value.subarray(end) };
}

export function encodeDeathNote(note: DeathNote): Buffer {
  return Buffer.from(JSON.stringify(note));
}

export function decodeDeathNote(head: Buffer): DeathNote {
  // Written by encodeDeathNote alone.
  return JSON.parse(head.toString()) as DeathNote;
}
