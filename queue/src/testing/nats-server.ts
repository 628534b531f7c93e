/**
 * A real nats-server for tests: found, started on loopback with a store of its own, ended or killed, started again.
 * Not here: what is asked of it; making it slow or deaf (tcp-proxy.ts).
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { env } from 'node:process';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface NatsServerOptions {
  /** Free unless given. */
  readonly port?: number;
  /** A fresh temporary folder, removed by `stop`, unless given. */
  readonly storeDir?: string;
  /** More lines of its configuration. */
  readonly config?: string;
}

export interface NatsServer {
  readonly url: string;
  readonly port: number;
  /** Changes with `restart`; `undefined` while it is down. */
  readonly pid: number | undefined;
  /** Ends it in order and removes the temporary folder. Idempotent. */
  stop(): Promise<void>;
  kill9(): Promise<void>;
  /** Starts it again on the same port and store, after ending it in order if it runs. */
  restart(): Promise<void>;
}

const deadlineMs = 20_000;

/** A test that fails to stop its server must not leave it behind. */
const alive = new Set<ChildProcess>();
process.once('exit', () => { for (const child of alive) child.kill('SIGKILL'); });

export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const binary = await findNatsServer();
  const port = options.port ?? await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'postern-nats-'));
  const configFile = join(folder, 'nats.conf');
  await writeFile(configFile, `
host: 127.0.0.1
port: ${port}
jetstream { store_dir: ${JSON.stringify(options.storeDir ?? join(folder, 'store'))}, sync_interval: 100ms }
${options.config ?? ''}
`);
  let server: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    const child = spawn(binary, ['-c', configFile], { stdio: ['ignore', 'ignore', 'pipe'] });
    server = child;
    alive.add(child);
    child.once('exit', () => { alive.delete(child); });
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => { log = (log + text).slice(-4_000); });
    const giveUpAt = performance.now() + deadlineMs;
    while (!(await answers(port))) {
      if (child.exitCode !== null || performance.now() > giveUpAt) throw new Error(`nats-server did not start:\n${log}`);
      await wait(10);
    }
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const child = server;
    server = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  };

  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    get pid() { return server?.pid; },
    stop: async () => { await end('SIGTERM'); await rm(folder, { recursive: true, force: true }); },
    kill9: () => end('SIGKILL'),
    restart: async () => { await end('SIGTERM'); await start(); },
  };
}

/** The server speaks first. */
async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    const [first] = await once(socket, 'data', { signal: AbortSignal.timeout(2_000) });
    return String(first).startsWith('INFO');
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port to be had on 127.0.0.1');
  return address.port;
}

let found: Promise<string> | undefined;

/**
 * The first of: `NATS_SERVER`; one on PATH; the project's cache folder; Debian's newer package, unpacked there.
 * @throws when there is none of 2.10 or newer; the message says how to get one
 */
export function findNatsServer(): Promise<string> {
  found ??= find();
  return found;
}

async function find(): Promise<string> {
  const given = env['NATS_SERVER'];
  if (given) {
    if (await isNewEnough(given)) return given;
    throw new Error(`NATS_SERVER is ${given}, which is no nats-server of 2.10 or newer`);
  }
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    const candidate = join(folder, 'nats-server');
    if (folder && existsSync(candidate) && await isNewEnough(candidate)) return candidate;
  }
  const cache = join(import.meta.dirname, '../../../.cache/nats-server');
  const cached = join(cache, 'usr/sbin/nats-server');
  if (existsSync(cached) && await isNewEnough(cached)) return cached;
  const missing = 'no nats-server of 2.10 or newer: install one, or set NATS_SERVER to its path';
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) throw new Error(missing);
  try {
    await unpackFromDebian(cache);
  } catch (err) {
    throw new Error(`${missing} (Debian's package could not be unpacked)`, { cause: err });
  }
  return cached;
}

async function isNewEnough(binary: string): Promise<boolean> {
  try {
    const { stdout } = await run(binary, ['--version']);
    const [, major, minor] = /v(\d+)\.(\d+)/.exec(stdout) ?? [];
    return Number(major) > 2 || (Number(major) === 2 && Number(minor) >= 10);
  } catch {
    return false;
  }
}

/** With lists and a cache of its own: the system's packages stay as they are. */
async function unpackFromDebian(into: string): Promise<void> {
  const script = `
set -eu
mkdir -p lists/partial cache/archives/partial
base=$(apt-get indextargets --format '$(REPO_URI)' | sort -u | sed -n '/[/]debian[/]*$/{p;q}')
echo "deb $base trixie main" > sources.list
options="-qq -o Dir::Etc::sourcelist=$PWD/sources.list -o Dir::Etc::sourceparts=- -o Dir::State::lists=$PWD/lists -o Dir::Cache=$PWD/cache -o APT::Sandbox::User=root"
apt-get $options update
apt-get $options download nats-server
dpkg-deb -x nats-server_*.deb .
rm -rf lists cache sources.list nats-server_*.deb
`;
  const work = `${into}.${process.pid}`;
  await mkdir(work, { recursive: true });
  try {
    await run('sh', ['-c', script], { cwd: work, timeout: 120_000 });
    // Another process may have been faster; what it put there serves as well.
    await rename(work, into).catch((err: unknown) => { if (!existsSync(into)) throw err; });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
