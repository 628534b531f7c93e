/** The `postern` command. Each subcommand is a file of its own, loaded when it is asked for. */
import { Command } from 'commander';
import { version } from './version.js';

const settingsHint = `
Settings are environment variables; docs/settings.md lists them all. The common ones:
  HOST        address to listen on (127.0.0.1)
  PORT        port to listen on (8080)
  DATA_DIR    folder for what must survive a restart (.postern)
  STACK_FILE  the functions to deploy (stack.yml)
  NATS_URL    NATS server for the queue; unset: the embedded queue
  LOG_LEVEL   trace, debug, info, warn or error`;

const program = new Command('postern')
  .description('An asynchronous function gateway: a POST becomes a durable call, the function runs, the callback arrives.')
  .version(version)
  .addHelpText('after', settingsHint);

program.command('up', { isDefault: true })
  .description('run everything in this process: gateway, queue, worker and the functions of stack.yml')
  .action(async () => { await (await import('./up.js')).up(process.env); });
program.command('gateway')
  .description('run a gateway alone (needs NATS_URL and functions_provider_url)')
  .action(async () => { await (await import('./gateway.js')).gateway(process.env); });
program.command('queue-worker')
  .description('run a queue-worker alone, beside any number of others (NATS_URL, gateway_url)')
  .action(async () => { await (await import('./queue-worker.js')).queueWorker(process.env); });
program.command('provider')
  .description('run functions as local processes for gateways elsewhere (STACK_FILE)')
  .action(async () => { await (await import('./provider.js')).provider(process.env); });

const [name] = process.argv.slice(2);
if (name !== undefined && !name.startsWith('-') && !['help', ...program.commands.map((command) => command.name())].includes(name)) {
  process.stderr.write(`postern: unknown command ${name}: there are ${program.commands.map((command) => command.name()).join(', ')}\n`);
  process.exit(1);
}
await program.parseAsync();
