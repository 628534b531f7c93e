/**
 * One replica's log: lines `2026-01-31T12:00:00.123Z text` in `<replica>.log`. Bounded: beyond its size the file
 * becomes `<replica>.log.1`, and the one of that name before is gone.
 * Written synchronously in batches: a reader that flushes first then knows exactly where the file ends, and what a
 * replica wrote before it died is not lost on the way.
 * Not here: reading (log-reader.ts).
 */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const flushAfterMs = 50;
const flushAtLength = 65_536;

export interface LogFileOptions {
  readonly maxBytes: number;
  /** Told when lines could not be written (a full disk); they are lost. */
  readonly onError: (error: unknown) => void;
}

export class LogFile {
  readonly path: string;
  readonly #options: LogFileOptions;
  #fd: number | undefined;
  #bytes = 0;
  #pending = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string, options: LogFileOptions) {
    this.path = path;
    this.#options = options;
  }

  append(timestamp: string, lines: readonly string[]): void {
    for (const line of lines) this.#pending += `${timestamp} ${line}\n`;
    if (this.#pending.length >= flushAtLength) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), flushAfterMs).unref();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pending === '') return;
    const bytes = Buffer.from(this.#pending);
    this.#pending = '';
    try {
      const fd = this.#fd ?? this.#open();
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
      this.#bytes += bytes.length;
      if (this.#bytes >= this.#options.maxBytes) this.#rotate();
    } catch (error) {
      this.#options.onError(error);
    }
  }

  close(): void {
    this.flush();
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #open(): number {
    mkdirSync(dirname(this.path), { recursive: true });
    const fd = openSync(this.path, 'a', 0o600);
    this.#fd = fd;
    this.#bytes = fstatSync(fd).size;
    return fd;
  }

  #rotate(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    renameSync(this.path, `${this.path}.1`);
  }
}
