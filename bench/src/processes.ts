/** Programs a benchmark starts, and ends again by pid. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Running {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A program of this folder that prints its URL as its first line. */
export async function startBare(file: string, ...args: string[]): Promise<Running> {
  const child = spawn(process.execPath, [join(root, 'bench/dist', file), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [url] = await new Promise<string[]>((resolve, reject) => {
    createInterface(child.stdout).once('line', (line) => { resolve([line]); });
    child.once('exit', (code) => { reject(new Error(`${file} ended with ${code}`)); });
  });
  return { url: url ?? '', pid: child.pid ?? 0, stop: () => end(child, 'SIGKILL') };
}

/** A watchdog of its own for one of this folder's handlers, which the bare side of a comparison calls. */
export async function startWatchdog(name: string): Promise<Running> {
  const port = await freePort();
  const child = spawn(process.execPath, [join(root, 'watchdog/dist/main.js')], {
    stdio: 'ignore',
    env: { PATH: process.env['PATH'], lang: 'web', handler: join(root, 'bench/functions', name), port: String(port), metrics_port: '0', GATE: root },
  });
  const url = `http://127.0.0.1:${port}`;
  await until(child, `${url}/_/ready`, (text) => text !== '');
  return { url, pid: child.pid ?? 0, stop: () => end(child, 'SIGKILL') };
}

export interface Postern extends Running {
  /** Lets the function `gate` answer from now on. */
  openGate(): void;
  /** Without draining: what is queued is of no interest any more. */
  kill(): Promise<void>;
  /** Waits until so many calls of a function have been answered with 200. */
  answered(name: string, count: number): Promise<void>;
}

/** `postern up` with the benchmark's stack, in a data folder of its own. Resolves when both functions answer. */
export async function startPostern(env: Readonly<Record<string, string>>): Promise<Postern> {
  const dataDir = mkdtempSync(join(tmpdir(), 'postern-bench-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, [join(root, 'cli/bin/postern.js'), 'up'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, STACK_FILE: join(root, 'bench/stack.yml'), DATA_DIR: dataDir, PORT: String(port), GATE: join(dataDir, 'gate'), LOG_LEVEL: 'warn', upstream_timeout: '10m', ...env },
  });
  await until(child, `${url}/system/functions`, (text) => [...text.matchAll(/"availableReplicas":1/g)].length === 2);
  return {
    url, pid: child.pid ?? 0,
    openGate: () => { writeFileSync(join(dataDir, 'gate'), ''); },
    kill: async () => {
      await end(child, 'SIGKILL');
      rmSync(dataDir, { recursive: true, force: true });
    },
    answered: (name, count) => until(child, `${url}/metrics`, (text) => counted(text, name) >= count),
    stop: async () => {
      await end(child, 'SIGTERM');
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function counted(metrics: string, name: string): number {
  return Number(new RegExp(`^gateway_function_invocation_total\\{function_name="${name}\\.openfaas-fn",code="200"\\} (\\d+)`, 'm').exec(metrics)?.[1] ?? 0);
}

/** Polls a program's URL until its text satisfies; gives up when the program has ended, or after 10 minutes. */
async function until(child: ChildProcess, url: string, satisfied: (text: string) => boolean): Promise<void> {
  const deadline = Date.now() + 600_000;
  while (child.exitCode === null && child.signalCode === null && Date.now() < deadline) {
    const text = await fetch(url).then((response) => response.text(), () => '');
    if (satisfied(text)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`gave up waiting for ${url}`);
}

/** Resident memory in MB: all of it, and the part that no file backs. */
export function memoryMb(pid: number): { readonly resident: number; readonly anonymous: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mb = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / 1_024;
  return { resident: mb('VmRSS'), anonymous: mb('RssAnon') };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  // A TCP server's address is an AddressInfo once it listens.
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await exited;
}
