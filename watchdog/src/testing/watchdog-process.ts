/** For tests: the watchdog as the real program, its parent being the test. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ParentMessage } from '../parent-channel.js';

const program = fileURLToPath(new URL('../main.js', import.meta.url));

/** How long a test waits for what must come. Generous, because machines that run tests are busy. */
const patienceMs = 20_000;

/** What a process or a folder lives as long as: a test, or a file of tests (node:test's own `after`). */
export interface Scope {
  after(clean: () => Promise<void>): void;
}

/** A watchdog that runs. */
export interface WatchdogProcess {
  readonly pid: number;
  /** What it told its parent, in order. */
  readonly messages: readonly ParentMessage[];
  /** Everything on its stdout and stderr so far. */
  readonly output: () => string;
  /** Resolves when it has ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  kill(signal: NodeJS.Signals): void;
  /** Closes the IPC channel, as a parent's death does. */
  disconnect(): void;
}

/** A watchdog whose function is ready. */
export interface ReadyWatchdog extends WatchdogProcess {
  readonly url: string;
  readonly metricsUrl: string;
}

/** Starts the program, as a group of its own, with these settings and nothing else in its environment. It is ended with the test. */
export function launchWatchdog(t: Scope, settings: Readonly<Record<string, string>>): WatchdogProcess {
  const env = { PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`, port: '0', metrics_port: '0', ...settings };
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => { output += text; });
  const messages: ParentMessage[] = [];
  child.on('message', (message) => messages.push(message as ParentMessage)); // the program sends nothing else
  const streams = [child.stdout, child.stderr].map(async (stream) => { if (stream !== null) await once(stream, 'close'); });
  // Not the child's 'close': it does not come when the channel was closed from this side.
  const ended = once(child, 'exit').then(async ([code, signal]) => {
    await Promise.all(streams);
    return { code: code as number | null, signal: signal as NodeJS.Signals | null };
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return {
    pid: child.pid ?? 0, messages, output: () => output, ended,
    kill: (signal) => void child.kill(signal),
    disconnect: () => child.disconnect(),
  };
}

/** Starts the program and waits until its function is ready. */
export async function startWatchdog(t: Scope, settings: Readonly<Record<string, string>>): Promise<ReadyWatchdog> {
  const watchdog = launchWatchdog(t, settings);
  let over = false;
  void watchdog.ended.then(() => { over = true; });
  const ready = await eventually(() => {
    if (over) throw new Error(`the watchdog ended: ${watchdog.output()}`);
    return watchdog.messages.find((message) => message.type === 'ready');
  });
  return { ...watchdog, url: ready.url, metricsUrl: ready.metricsUrl };
}

/** A file of its own folder, removed with the test. @returns its path */
export async function temporaryFile(t: Scope, name: string, text: string): Promise<string> {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, name), text, { mode: 0o755 });
  return join(folder, name);
}

/** A folder, removed with the test. */
export async function temporaryFolder(t: Scope): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'watchdog-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Polls until the value is neither undefined nor false. @throws {Error} it never was */
export async function eventually<Value>(look: () => Value | Promise<Value>): Promise<Exclude<Value, undefined | false>> {
  const deadline = performance.now() + patienceMs;
  while (performance.now() < deadline) {
    const value = await look();
    if (value !== undefined && value !== false) return value as Exclude<Value, undefined | false>;
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
  throw new Error(`it did not happen: ${look.toString()}`);
}

/** Whether a process runs; one that ended and is not yet reaped does not. */
export async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return !/\) [ZX] /.test(stat);
}
