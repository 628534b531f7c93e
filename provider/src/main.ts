/**
 * The program `postern-provider`: the process driver behind the provider protocol. cli/ reads the environment, finds
 * the watchdog and calls this; signals are its business too.
 */
import { resolve } from 'node:path';
import { SettingsError, isLoopbackHost, readBasicAuth } from '@postern/settings';
import type { Logger } from 'pino';
import { deployAll } from './deploy-all.js';
import { createProcessProvider } from './process/process-provider.js';
import { createProviderServer } from './server/provider-server.js';
import type { ProviderSettings } from './settings.js';
import { readStack } from './stack/read-stack.js';

export interface ProviderSurroundings {
  /** The watchdog program every replica runs. */
  readonly watchdogMain: string;
  /** What the stack file may refer to, and of which functions get PATH and the like. */
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
}

export interface RunningProvider {
  readonly url: string;
  /** Takes no more requests, then lets the functions finish and ends them. Idempotent. */
  close(): Promise<void>;
}

/**
 * Resolves once requests are answered; the functions may still be starting.
 * @throws {SettingsError} the credentials cannot be read, or others than this machine would be served without any
 * @throws {StackError} STACK_FILE is wrong
 */
export async function startProvider(settings: ProviderSettings, { watchdogMain, env, log }: ProviderSurroundings): Promise<RunningProvider> {
  const { HOST: host, PORT: port, STACK_FILE: stackFile, function_namespace: defaultNamespace } = settings;
  // Whatever can be wrong with what was written is found before anything is started.
  if (!settings.basic_auth && !isLoopbackHost(host)) {
    throw new SettingsError(`HOST=${host}: whoever reaches it could run programs here; set basic_auth=true and secret_mount_path, or HOST=127.0.0.1`);
  }
  const credentials = settings.basic_auth ? await readBasicAuth(settings.secret_mount_path) : undefined;
  const specs = stackFile === undefined ? [] : await readStack(stackFile, env, defaultNamespace);
  const provider = await createProcessProvider({ dataDir: resolve(settings.DATA_DIR), watchdogMain, env, log, defaultNamespace });
  try {
    for (const { spec, error } of await deployAll(provider, specs)) log.error({ err: error, function: spec.name, namespace: spec.namespace }, 'function refused');
    const server = await createProviderServer(provider, { host, port, defaultNamespace, log, credentials });
    log.info({ url: server.url, basic_auth: settings.basic_auth, functions: specs.length }, 'the provider listens');
    return {
      url: server.url,
      close: async () => {
        await server.close();
        await provider.close();
      },
    };
  } catch (error) {
    await provider.close();
    throw error;
  }
}
