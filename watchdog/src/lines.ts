/**
 * Forwards a process's output to the watchdog's own, line by line and byte for byte.
 * A slow reader of the log slows the function's writing; a line too long is passed on in pieces; nothing is dropped.
 */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';

/** How lines are forwarded. */
export interface LineOptions {
  /** Put before each line; made anew for each. */
  readonly prefix: () => string;
  /** A longer line goes on in pieces of this size, each a line of its own. */
  readonly maxLineBytes: number;
}

const newline = Buffer.from('\n');

/** Resolves at the source's end, the last line passed on even without a newline. Never rejects: a source that breaks has ended. */
export async function forwardLines(source: Readable, target: Writable, { prefix, maxLineBytes }: LineOptions): Promise<void> {
  let held: Buffer[] = []; // the line begun, without its end
  let heldBytes = 0;
  let block: Buffer[] = []; // the lines ended by this chunk: written at once
  const endLine = (last: Buffer): void => {
    block.push(Buffer.from(prefix()), ...held, last, newline);
    held = [];
    heldBytes = 0;
  };
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) { // no encoding is set, so chunks are buffers
      for (let start = 0; start < chunk.length;) {
        const found = chunk.indexOf(newline, start);
        const end = found === -1 ? chunk.length : found;
        const room = maxLineBytes - heldBytes;
        if (end - start > room) {
          endLine(chunk.subarray(start, start + room));
          start += room;
        } else if (found === -1) {
          held.push(chunk.subarray(start));
          heldBytes += end - start;
          start = end;
        } else {
          endLine(chunk.subarray(start, end));
          start = end + 1;
        }
      }
      await write(target, block);
      block = [];
    }
  } catch {
    // The pipe broke: what came so far is passed on below.
  }
  if (heldBytes > 0) endLine(Buffer.alloc(0));
  await write(target, block);
}

async function write(target: Writable, block: readonly Buffer[]): Promise<void> {
  if (block.length === 0) return;
  if (!target.write(Buffer.concat(block)) && !target.destroyed) await once(target, 'drain').catch(() => undefined);
}

/** Go's log prefix, in local time: `2026/01/31 23:59:59 stderr: `. */
export function datedPrefix(stream: 'stdout' | 'stderr', now = new Date()): string {
  const two = (number: number): string => String(number).padStart(2, '0');
  const date = `${now.getFullYear()}/${two(now.getMonth() + 1)}/${two(now.getDate())}`;
  return `${date} ${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())} ${stream}: `;
}
