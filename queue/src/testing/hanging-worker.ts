/** A process that takes one call and never finishes it, for tests that kill it. Arguments: broker's URL, lane key, lease in ms. */
import pino from 'pino';
import { parseLaneKey } from '../call.js';
import { openJetStreamQueue } from '../jetstream/open.js';

const [url = '', laneKey = '', leaseMs] = process.argv.slice(2);
const lane = parseLaneKey(laneKey);
if (!lane) throw new Error(`no lane: ${laneKey}`);
const queue = await openJetStreamQueue({ url, log: pino({ level: 'silent' }), leaseMs: Number(leaseMs) });
await queue.consume(lane, { maxInFlight: 1 }, ({ item }) => {
  process.stdout.write(`${item.id}\n`);
  return new Promise(() => { /* until killed */ });
});
