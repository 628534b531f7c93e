/**
 * A process for tests to kill: opens the embedded queue in the folder of its first argument, publishes and consumes
 * under load, and writes down on stdout, line by line, what it was promised. With a number as its second argument it
 * kills itself in the handler of that delivery.
 *
 *     open                      the queue is open
 *     accepted <id>             the publish resolved
 *     delivered <id> <attempt>  the handler was called; every fifth call then hangs
 */
import { pino } from 'pino';
import { openEmbeddedQueue } from '../embedded/open.js';
import { done, echo, sampleCall } from './contract-fixture.js';

const [dataDir = '', killAt] = process.argv.slice(2);
// A pipe's writes are synchronous: what was said was said before the kill.
const say = (line: string): void => { process.stdout.write(`${line}\n`); };

const queue = await openEmbeddedQueue({ dataDir, log: pino({ level: 'silent' }) });
say('open');

let deliveries = 0;
await queue.consume(echo, { maxInFlight: 200 }, async ({ item, attempt }) => {
  say(`delivered ${item.id} ${attempt}`);
  if (++deliveries === Number(killAt)) process.kill(process.pid, 'SIGKILL');
  if (deliveries % 5 === 0) await new Promise(() => undefined);
  return done;
});

async function publishForEver(): Promise<never> {
  for (;;) {
    const call = sampleCall();
    await queue.publish(call);
    say(`accepted ${call.id}`);
  }
}
await Promise.all(Array.from({ length: 20 }, publishForEver));
