/** A process provider over a temporary folder with the fake watchdog, and ways to wait for what it does. For tests. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { exampleSpec } from '../../testing/example-spec.js';
import type { FunctionSpec, FunctionState, Provider } from '../../provider.js';
import { type ProcessProviderOptions, createProcessProvider } from '../process-provider.js';

export const fakeWatchdog = fileURLToPath(new URL('fake-watchdog/main.js', import.meta.url));

/** By folder: a folder is removed when nobody writes to it any more. */
const opened = new Map<string, Provider[]>();

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-process-'));
  t.after(async () => {
    await Promise.all((opened.get(folder) ?? []).map((provider) => provider.close()));
    opened.delete(folder);
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

/** @param dataDir - a `temporaryFolder`, with which the provider is closed */
export async function openProvider(dataDir: string, options: Partial<ProcessProviderOptions> = {}): Promise<Provider> {
  const provider = await createProcessProvider({
    dataDir, watchdogMain: fakeWatchdog, log: pino({ level: 'silent' }), defaultNamespace: 'fn', graceMs: 10_000, startDeadlineMs: 20_000, drainDelayMs: 20, settleMs: 20,
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', NATS_URL: 'nats://secret@broker' }, ...options,
  });
  opened.set(dataDir, [...(opened.get(dataDir) ?? []), provider]);
  return provider;
}

/** A program function, with what the test wants to be different. */
export function program(name: string, changes: Partial<FunctionSpec> = {}): FunctionSpec {
  return { ...exampleSpec({ name, namespace: 'fn' }), envProcess: 'cat', ...changes };
}

/** Resolves with the first state, the present one included, of which it holds. */
export function stateOf(provider: Provider, name: string, holds: (state: FunctionState) => boolean, deadlineMs = 20_000): Promise<FunctionState> {
  return new Promise((resolve, reject) => {
    let last: FunctionState | undefined;
    const end = new AbortController();
    const timer = setTimeout(() => {
      end.abort();
      reject(new Error(`in ${deadlineMs} ms ${name} never got so far as ${String(holds)}; last: ${JSON.stringify(last)}`));
    }, deadlineMs);
    const unwatch = provider.watch((event) => {
      if (end.signal.aborted || event.kind !== 'changed' || event.state.spec.name !== name) return;
      last = event.state;
      if (!holds(event.state)) return;
      clearTimeout(timer);
      resolve(event.state);
      end.abort();
    });
    // It may have held at once, before there was anything to end.
    if (end.signal.aborted) unwatch();
    else end.signal.addEventListener('abort', unwatch, { once: true });
  });
}

export const ready = (state: FunctionState): boolean => state.reason === undefined && state.endpoints.length === state.replicas && state.replicas > 0;

/** GETs a path of a function's replica. */
export async function ask(state: FunctionState, path: string, replica = 0): Promise<string> {
  const response = await fetch(`${state.endpoints[replica]?.url}${path}`);
  return response.text();
}

export async function pidOf(state: FunctionState, replica = 0): Promise<number> {
  return Number(await ask(state, '/pid', replica));
}

/** Makes a request that is not answered before `/release` is asked for; resolves once it is being handled. */
export async function hold(state: FunctionState, replica = 0): Promise<{ readonly answer: Promise<string> }> {
  const response = await fetch(`${state.endpoints[replica]?.url}/hold`);
  return { answer: response.text() };
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
