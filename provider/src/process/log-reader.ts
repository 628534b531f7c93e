/**
 * Reads a function's log: every replica's files merged by time, then, if asked, what comes as it comes.
 * Not here: writing it (log-file.ts).
 */
import { closeSync, createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import type { LogLine, LogQuery } from '../provider.js';
import type { FunctionLog, LiveLine } from './function-log.js';
import { LineSplitter } from './lines.js';

/** Lines a follower may lag behind before the oldest are let go. */
const maxLag = 10_000;

/** Nothing is opened or followed before the first line is asked for; everything is closed when the reader stops. */
export async function* readLog(log: FunctionLog, query: LogQuery): AsyncGenerator<LogLine> {
  const { name, namespace, instance, since, tail, signal } = query;
  const wanted = (line: LiveLine): boolean => since === undefined || Date.parse(line.timestamp) >= since.getTime();
  const live = query.follow ? new LiveLines(instance, signal) : undefined;
  // Until every file is open nothing waits, so nothing is written between them.
  const opened = log.files(instance, live).map((file) => ({ instance: file.instance, files: file.paths.flatMap(openForReading) }));
  try {
    const sources = opened.map(({ instance: from, files }) => readInstance(from, tail === undefined ? files : endOf(files, tail)));
    const kept = filter(mergeByTime(sources), wanted);
    for await (const line of tail === undefined ? kept : lastOf(kept, tail)) {
      if (signal.aborted) return;
      yield { name, namespace, ...line };
    }
    if (!live) return;
    for await (const line of filter(live.lines(), wanted)) yield { name, namespace, ...line };
  } finally {
    if (live) log.unfollow(live);
    for (const { fd } of opened.flatMap(({ files }) => files)) closeSync(fd);
  }
}

interface OpenFile {
  readonly fd: number;
  /** Where to begin: a line's first byte. */
  readonly start: number;
  /** Its size when it was opened: what is written later comes live. */
  readonly size: number;
}

function openForReading(path: string): OpenFile[] {
  try {
    const fd = openSync(path, 'r');
    return [{ fd, start: 0, size: fstatSync(fd).size }];
  } catch {
    // Not rotated yet, or removed since it was listed.
    return [];
  }
}

/** These files, oldest first, without what cannot be among their last `count` lines. */
function endOf(files: readonly OpenFile[], count: number): OpenFile[] {
  const kept: OpenFile[] = [];
  let missing = count;
  for (const file of files.toReversed()) {
    if (missing <= 0) break;
    const { start, lines } = seekBack(file, missing);
    kept.unshift({ ...file, start });
    missing -= lines;
  }
  return kept;
}

/** @returns where the last `count` lines start, or the first of fewer; every line ends with a newline */
function seekBack({ fd, size }: OpenFile, count: number): { readonly start: number; readonly lines: number } {
  const block = Buffer.alloc(65_536);
  let lines = 0;
  for (let end = size; end > 0;) {
    const from = Math.max(0, end - block.length);
    readSync(fd, block, 0, end - from, from);
    for (let at = end - from - 1; at >= 0; at--) {
      if (block[at] !== 10 || from + at === size - 1) continue;
      lines++;
      if (lines === count) return { start: from + at + 1, lines };
    }
    end = from;
  }
  return { start: 0, lines: size === 0 ? 0 : lines + 1 };
}

async function* readInstance(instance: string, files: readonly OpenFile[]): AsyncGenerator<LiveLine> {
  for (const { fd, start, size } of files) {
    if (size === start) continue;
    const lines = new LineSplitter();
    for await (const chunk of createReadStream('', { fd, start, end: size - 1, autoClose: false, encoding: 'utf8' })) {
      for (const line of lines.push(String(chunk))) {
        const space = line.indexOf(' ');
        yield { instance, timestamp: line.slice(0, space), text: line.slice(space + 1) };
      }
    }
  }
}

/** Timestamps of one format and zone sort as text. */
async function* mergeByTime(sources: readonly AsyncGenerator<LiveLine>[]): AsyncGenerator<LiveLine> {
  const heads: { readonly line: LiveLine; readonly source: AsyncGenerator<LiveLine> }[] = [];
  const advance = async (source: AsyncGenerator<LiveLine>): Promise<void> => {
    const next = await source.next();
    if (!next.done) heads.push({ line: next.value, source });
  };
  try {
    for (const source of sources) await advance(source);
    while (heads.length > 0) {
      const first = heads.reduce((a, b) => (b.line.timestamp < a.line.timestamp ? b : a));
      heads.splice(heads.indexOf(first), 1);
      yield first.line;
      await advance(first.source);
    }
  } finally {
    for (const source of sources) await source.return(undefined);
  }
}

async function* filter(lines: AsyncIterable<LiveLine>, wanted: (line: LiveLine) => boolean): AsyncGenerator<LiveLine> {
  for await (const line of lines) if (wanted(line)) yield line;
}

async function* lastOf(lines: AsyncIterable<LiveLine>, count: number): AsyncGenerator<LiveLine> {
  let last: LiveLine[] = [];
  for await (const line of lines) {
    last.push(line);
    // Trimmed now and then, so that a line costs no shifting of all others.
    if (last.length > 2 * count + 100) last = last.slice(-count);
  }
  yield* count === 0 ? [] : last.slice(-count);
}

/** Lines on their way to one follower. */
class LiveLines {
  #waiting: LiveLine[] = [];
  #skipped = 0;
  #ended = false;
  #wake: (() => void) | undefined;
  readonly #instance: string | undefined;

  constructor(instance: string | undefined, signal: AbortSignal) {
    this.#instance = instance;
    if (signal.aborted) this.end();
    else signal.addEventListener('abort', () => this.end(), { once: true });
  }

  line(line: LiveLine): void {
    if (this.#ended || (this.#instance !== undefined && line.instance !== this.#instance)) return;
    this.#waiting.push(line);
    if (this.#waiting.length > maxLag) {
      const half = Math.ceil(this.#waiting.length / 2);
      this.#skipped += half;
      this.#waiting = this.#waiting.slice(half);
    }
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async* lines(): AsyncGenerator<LiveLine> {
    for (;;) {
      const lines = this.#waiting;
      const [first] = lines;
      this.#waiting = [];
      if (first && this.#skipped > 0) yield { ...first, text: `[${this.#skipped} lines left out: read too slowly]` };
      this.#skipped = 0;
      yield* lines;
      if (this.#waiting.length > 0) continue;
      if (this.#ended) return;
      await new Promise<void>((resolve) => { this.#wake = resolve; });
    }
  }
}
