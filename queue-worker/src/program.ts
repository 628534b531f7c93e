/**
 * The queue-worker as a program of its own, beside a gateway elsewhere: functions run over the gateway's HTTP, health and
 * metrics on a port of their own. Not here: opening the queue and signals (cli/).
 */
import { once } from 'node:events';
import { type RequestListener, createServer } from 'node:http';
import type { Queue } from '@postern/queue';
import { listen, readBasicAuth } from '@postern/settings';
import type { Logger } from 'pino';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { functionListOverHttp } from './function-list-over-http.js';
import { invokeOverHttp } from './invoke-over-http.js';
import type { QueueWorkerProgramSettings } from './settings.js';
import { startQueueWorker } from './worker.js';

export interface QueueWorkerProgram {
  /** Of `/healthz` and `/metrics`. */
  readonly url: string;
  /** Drains the worker, then closes the port. The queue stays open. Idempotent. */
  close(): Promise<void>;
}

/** @throws {SettingsError} the credentials cannot be read, or the port cannot be had */
export async function startQueueWorkerProgram(
  { queue, settings, log }: { readonly queue: Queue; readonly settings: QueueWorkerProgramSettings; readonly log: Logger },
): Promise<QueueWorkerProgram> {
  const credentials = settings.basic_auth ? await readBasicAuth(settings.secret_mount_path) : undefined;
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  const server = createServer(healthAndMetrics(metrics, log));
  const url = await listen(server, settings.HOST, settings.metrics_port, 'metrics_port');
  const { gateway_url: gatewayUrl } = settings;
  const gateway = invokeOverHttp({ gatewayUrl, upstreamTimeoutMs: settings.upstream_timeout, maxBodyBytes: settings.max_body_bytes });
  const functions = functionListOverHttp({ gatewayUrl, log, ...(credentials ? { credentials } : {}) });
  const worker = await startQueueWorker({ queue, functions, invoke: gateway.invoke, settings, log, metrics });
  log.info({ url, gateway: gatewayUrl }, 'queue-worker started');

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await worker.close();
    await gateway.close();
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return { url, close: () => (closing ??= close()) };
}

function healthAndMetrics(metrics: Registry, log: Logger): RequestListener {
  return (req, res) => {
    const path = req.url?.split('?')[0];
    if (path === '/healthz') {
      res.end('OK\n');
    } else if (path === '/metrics') {
      metrics.metrics().then((text) => { res.setHeader('Content-Type', metrics.contentType).end(text); }, (error: unknown) => {
        log.error({ err: error }, 'metrics cannot be read');
        res.writeHead(500).end();
      });
    } else {
      res.writeHead(404, { 'Content-Type': 'application/json' }).end('{"error":{"code":"not_found","message":"Only /healthz and /metrics are here."}}\n');
    }
  };
}
