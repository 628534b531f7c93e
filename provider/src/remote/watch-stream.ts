/**
 * Follows a provider's `/system/watch` for as long as it is wanted: one stream, and a new one after each that breaks.
 * Not here: what becomes of the events (replica-table.ts).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { backoffMs } from '../backoff.js';
import type { FunctionEvent } from '../provider.js';
import { decodeEvent } from '../wire.js';
import { readLines } from './ndjson.js';
import type { ProviderClient } from './provider-client.js';

export interface WatchStreamOptions {
  readonly client: ProviderClient;
  readonly log: Logger;
  /** The server's; twice this long without a byte, and the stream counts as broken. */
  readonly heartbeatMs: number;
}

const maxWaitMs = 5_000;

/** Resolves once the signal is aborted, never before, and never rejects. */
export async function followWatch(
  { client, log, heartbeatMs }: WatchStreamOptions, tell: (event: FunctionEvent) => void, signal: AbortSignal,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      // Half a heartbeat on top, for one that is merely late.
      const chunks = await client.stream('/system/watch', 2.5 * heartbeatMs, signal);
      for await (const line of readLines(chunks)) {
        if (signal.aborted) return;
        if (line === '') continue;
        const event = decodeEvent(JSON.parse(line));
        tell(event);
        if (event.kind !== 'synced') continue;
        if (failures > 0) log.info({ failures }, 'the provider is back');
        failures = 0;
      }
      throw new Error('the provider ended the stream');
    } catch (err) {
      if (signal.aborted) return;
      failures += 1;
      const waitMs = backoffMs(failures, maxWaitMs);
      // One warning a gap, however long it is.
      log[failures === 1 ? 'warn' : 'debug']({ err, failures, wait_ms: waitMs }, 'the watch of the provider broke; its last known replicas stay in force');
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
