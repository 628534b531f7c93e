/** The one place that chooses a queue driver: NATS_URL set means JetStream, else embedded. */
import { type Queue, openEmbeddedQueue, openJetStreamQueue } from '@postern/queue';
import type { Logger } from 'pino';

export interface QueueChoice {
  readonly natsUrl: string | undefined;
  readonly dataDir: string;
  /** JetStream: how long a silent worker keeps its calls. */
  readonly leaseMs?: number;
  readonly log: Logger;
}

/** @throws {QueueMisconfigured} */
export function openQueue({ natsUrl, dataDir, leaseMs, log }: QueueChoice): Promise<Queue> {
  if (natsUrl === undefined) return openEmbeddedQueue({ dataDir, log });
  return openJetStreamQueue({ url: natsUrl, log, ...(leaseMs === undefined ? {} : { leaseMs }) });
}
