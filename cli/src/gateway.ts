/** `postern gateway`: the gateway alone, over a broker and a provider elsewhere. */
import { gatewaySettings, startGateway } from '@postern/gateway';
import { createRemoteProvider } from '@postern/provider';
import { SettingsError, readBasicAuth, readSettings } from '@postern/settings';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { createLog } from './log.js';
import { openQueue } from './open-queue.js';
import { withoutCredentials } from './redact.js';
import { runProgram } from './run-program.js';
import { version } from './version.js';

export async function gateway(env: NodeJS.ProcessEnv): Promise<void> {
  await runProgram('postern gateway', async (releasers) => {
    const settings = readSettings(gatewaySettings, env);
    const { NATS_URL: natsUrl, functions_provider_url: url } = settings;
    if (natsUrl === undefined) {
      throw new SettingsError('NATS_URL is not set: a gateway of its own shares a broker with its queue-workers; set NATS_URL=nats://host:4222, or run everything in one process with "postern up"');
    }
    if (url === undefined) {
      throw new SettingsError('functions_provider_url is not set: expected the URL of a provider such as http://127.0.0.1:8081 ("postern provider" starts one)');
    }
    const log = createLog(settings.LOG_LEVEL, 'gateway');
    const queue = await openQueue({ natsUrl, dataDir: settings.DATA_DIR, log });
    releasers.add('queue', () => queue.close());
    const credentials = settings.secret_mount_path === undefined ? undefined : await readBasicAuth(settings.secret_mount_path);
    const provider = createRemoteProvider({ url, log, credentials });
    releasers.add('provider', () => provider.close());
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const started = await startGateway({ settings, queue, provider, registry, log, version });
    releasers.add('gateway', () => started.close(settings.shutdown_timeout));
    log.info({ url: started.url, provider: withoutCredentials(url), ...(started.credentials ? { credentials_dir: started.credentials.dir } : {}) }, 'gateway listens');
    return log;
  });
}
