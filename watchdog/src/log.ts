/**
 * The watchdog's own lines in the function's log: a line an answer on stdout, errors on stderr.
 * Answers' lines are gathered for some milliseconds, because a write for each would cost a tenth of a proxied call.
 * Not here: the function's own output (lines.ts).
 */
import { STATUS_CODES } from 'node:http';
import type { Writable } from 'node:stream';

const gatherMs = 20;

/** While this much waits for the log's reader, answers are no longer logged: the function goes on. */
const maxWaitingBytes = 1 << 20;

/** What is logged of an answer. */
export interface AnswerLine {
  readonly method: string;
  readonly uri: string;
  readonly status: number;
  /** -1: not known beforehand. */
  readonly contentLength: number;
  readonly seconds: number;
  readonly callId: string;
}

/** The log. */
export class Log {
  #pending = '';
  #dropped = 0;

  /** @param withCallId - end each answer's line with `[call id]`, or `[none]` */
  constructor(readonly out: Writable, readonly err: Writable, readonly withCallId: boolean) {}

  /** A line per answer, as of-watchdog writes it. */
  answer({ method, uri, status, contentLength, seconds, callId }: AnswerLine): void {
    if (this.out.writableLength > maxWaitingBytes) {
      this.#dropped++;
      return;
    }
    if (this.#pending === '') setTimeout(this.flush, gatherMs).unref();
    const phrase = status === 499 ? 'Client Closed Request' : STATUS_CODES[status] ?? '';
    const id = this.withCallId ? ` [${callId === '' ? 'none' : callId}]` : '';
    this.#pending += `${method} ${uri} - ${status} ${phrase} - ContentLength: ${humanSize(contentLength)} (${seconds.toFixed(4)}s)${id}\n`;
  }

  info(message: string): void {
    this.flush();
    this.out.write(`${message}\n`);
  }

  /** @param callId - of the call that failed; left out when '' */
  error(message: string, callId = ''): void {
    this.flush();
    this.err.write(`${message.replaceAll('\n', ' ')}${callId === '' ? '' : ` [${callId}]`}\n`);
  }

  /** Resolves when all is with the operating system, or after a second: a log that nobody reads must not keep a process alive. */
  async flushed(): Promise<void> {
    this.flush();
    const written = [this.out, this.err].map((stream) => new Promise((resolve) => stream.write('', resolve)));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => { timer = setTimeout(resolve, 1_000); });
    await Promise.race([Promise.all(written), late]);
    clearTimeout(timer);
  }

  /** Writes what was gathered. The operating system takes it at once, so this also works while the process exits. */
  readonly flush = (): void => {
    if (this.#dropped > 0) this.#pending += `${this.#dropped} answers were not logged: the log's reader is too slow\n`;
    this.#dropped = 0;
    if (this.#pending !== '') this.out.write(this.#pending);
    this.#pending = '';
  };
}

/** As Docker's units: four digits, steps of 1000: `5B`, `1.234kB`. */
export function humanSize(bytes: number): string {
  if (bytes < 1_000) return `${bytes}B`; // most answers
  let size = bytes;
  let unit = 0;
  for (; size >= 1_000 && unit < 5; unit++) size /= 1_000;
  return `${Number(size.toPrecision(4))}${['B', 'kB', 'MB', 'GB', 'TB', 'PB'][unit] ?? ''}`;
}
