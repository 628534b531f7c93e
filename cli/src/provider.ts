/** `postern provider`: the functions of stack.yml as local processes, for gateways elsewhere. */
import { providerSettings, startProvider } from '@postern/provider';
import { readSettings } from '@postern/settings';
import { createLog } from './log.js';
import { runProgram } from './run-program.js';
import { watchdogMain } from './watchdog-main.js';

export async function provider(env: NodeJS.ProcessEnv): Promise<void> {
  await runProgram('postern provider', async (releasers) => {
    const settings = readSettings(providerSettings, env);
    const log = createLog(settings.LOG_LEVEL, 'provider');
    const started = await startProvider(settings, { watchdogMain, env, log });
    releasers.add('provider', () => started.close());
    return log;
  });
}
