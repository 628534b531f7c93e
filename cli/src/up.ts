/** `postern up`: gateway, queue, queue-worker and the functions of stack.yml in one process. */
import { resolve } from 'node:path';
import { startGateway } from '@postern/gateway';
import { type Provider, createProcessProvider, createRemoteProvider, deployAll, readStack } from '@postern/provider';
import { queueWorkerSettings, startQueueWorker } from '@postern/queue-worker';
import { readBasicAuth, readSettings } from '@postern/settings';
import type { Logger } from 'pino';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { announce } from './announce.js';
import { functionListOf, invokeThroughRouter } from './local-worker.js';
import { createLog } from './log.js';
import { openQueue } from './open-queue.js';
import { withoutCredentials } from './redact.js';
import type { Releasers } from './releasers.js';
import { runProgram } from './run-program.js';
import { type UpSettings, upSettings } from './up-settings.js';
import { version } from './version.js';
import { watchdogMain } from './watchdog-main.js';

function write(line: string): void {
  process.stdout.write(`${line}\n`);
}
// Whoever read along has gone (`postern up | head`); the functions go on.
process.stdout.on('error', () => undefined);

export async function up(env: NodeJS.ProcessEnv): Promise<void> {
  await runProgram('postern', async (releasers) => {
    const settings = readSettings(upSettings, env);
    const log = createLog(settings.LOG_LEVEL, 'postern');
    await startAll(settings, env, log, releasers);
    return log;
  }, () => { write('Finishing what runs; once more stops it at once.'); });
}

async function startAll(settings: UpSettings, env: NodeJS.ProcessEnv, log: Logger, releasers: Releasers): Promise<void> {
  const workerSettings = readSettings(queueWorkerSettings, env);
  const graceMs = settings.shutdown_timeout;
  const defaultNamespace = settings.function_namespace;
  // What was written wrong is said before anything is started.
  const specs = await readStack(settings.STACK_FILE, env, defaultNamespace);

  const queue = await openQueue({ natsUrl: settings.NATS_URL, dataDir: settings.DATA_DIR, leaseMs: settings.ack_wait, log });
  releasers.add('queue', () => queue.close());
  const provider = await openProvider(settings, env, log, graceMs);
  releasers.add('provider', () => provider.close());
  const refused = await deployAll(provider, specs);

  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gateway = await startGateway({ settings, queue, provider, registry, log, version });
  // Last to close before the provider: what is running still needs the router.
  releasers.add('gateway', () => gateway.close(graceMs));
  const worker = await startQueueWorker({
    queue, functions: functionListOf(provider), invoke: invokeThroughRouter(gateway, workerSettings.max_body_bytes),
    settings: { ...workerSettings, callback_allow: gateway.callbackAllow }, log, metrics: registry,
  });
  releasers.add('queue-worker', () => worker.close());

  const quiet = announce({
    gateway, provider, refused, version, defaultNamespace,
    queue: settings.NATS_URL === undefined ? `embedded in ${settings.DATA_DIR}` : `JetStream at ${withoutCredentials(settings.NATS_URL)}`,
    write,
  });
  releasers.add('announcements', () => Promise.resolve(quiet()));
}

async function openProvider(settings: UpSettings, env: NodeJS.ProcessEnv, log: Logger, graceMs: number): Promise<Provider> {
  const { functions_provider_url: url, function_namespace: defaultNamespace } = settings;
  if (url === undefined) return createProcessProvider({ dataDir: resolve(settings.DATA_DIR), watchdogMain, log, defaultNamespace, env, graceMs });
  const credentials = settings.secret_mount_path === undefined ? undefined : await readBasicAuth(settings.secret_mount_path);
  return createRemoteProvider({ url, log, credentials });
}
