/** A program that holds a provider and is meant to be killed: deploys one function and prints its replica's URL. For tests. */
import { pino } from 'pino';
import { createProcessProvider } from '../../process-provider.js';
import { fakeWatchdog, program, ready, stateOf } from '../open-provider.js';

const [dataDir = ''] = process.argv.slice(2);
const provider = await createProcessProvider({
  dataDir, watchdogMain: fakeWatchdog, log: pino({ level: 'silent' }), defaultNamespace: 'fn', env: process.env,
});
await provider.deploy(program('hello'));
const { endpoints } = await stateOf(provider, 'hello', ready);
process.stdout.write(`${endpoints[0]?.url}\n`);
