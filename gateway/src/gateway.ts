/**
 * The gateway as one part: edge, router and `/system` over a queue and a provider that the caller has opened.
 * Not here: opening them (cli/).
 */
import { OpenStreams, type Provider, gracefulClose } from '@postern/provider';
import { type CallbackAllow, type Queue, parseCallbackAllow } from '@postern/queue';
import { SettingsError, isLoopbackHost, listen } from '@postern/settings';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { type KnownCredentials, gatewayCredentials } from './credentials.js';
import { createEdge } from './edge.js';
import { FunctionTable } from './function-table.js';
import { type Answer, type Invocation, invoke } from './invoke.js';
import { GatewayMetrics } from './metrics.js';
import type { GatewaySettings } from './settings.js';
import { createSystemApi } from './system-api.js';

export interface GatewayOptions {
  readonly settings: GatewaySettings;
  readonly queue: Queue;
  readonly provider: Provider;
  readonly registry: Registry;
  readonly log: Logger;
  readonly version: string;
}

export interface Gateway {
  /** Where it is reached from this machine. */
  readonly url: string;
  /** Where callbacks may go besides the public internet; a worker beside this gateway holds the same rule. */
  readonly callbackAllow: CallbackAllow;
  /** `undefined` when `/system` is open. */
  readonly credentials: KnownCredentials | undefined;
  /** Runs a queued call in this process. */
  invoke(invocation: Invocation): Promise<Answer>;
  /**
   * Takes no new connections, answers what is under way (at most `graceMs`), then breaks what is left. Idempotent.
   */
  close(graceMs: number): Promise<void>;
}

/** @throws {SettingsError} a setting, a secret file or the port is wrong */
export async function startGateway({ settings, queue, provider, registry, log, version }: GatewayOptions): Promise<Gateway> {
  const credentials = await gatewayCredentials(settings);
  const callbackAllow = callbackAllowOf(settings);
  const metrics = new GatewayMetrics(registry, services);
  const table = new FunctionTable(provider, metrics);
  const streams = new OpenStreams();
  const servedBy = `postern/${version}`;
  const upstreamTimeoutMs = settings.upstream_timeout;

  function* services() {
    for (const { ref, state } of table.values()) {
      yield { key: `${ref.name}.${ref.namespace}`, replicas: state.replicas, ready: state.endpoints.length };
    }
  }

  const server = createEdge({
    table, queue, metrics, callbackAllow, servedBy, log, upstreamTimeoutMs, writeTimeoutMs: settings.write_timeout,
    maxBodyBytes: settings.max_body_bytes, defaultNamespace: settings.function_namespace, readTimeoutMs: settings.read_timeout,
    behind: createSystemApi({ provider, table, registry, credentials, streams, defaultNamespace: settings.function_namespace, version, log }),
  });
  const closeServer = gracefulClose(server);
  try {
    const url = await listen(server, settings.HOST, settings.PORT);
    let closing: Promise<void> | undefined;
    return {
      url, credentials, callbackAllow,
      invoke: (invocation) => invoke(table, invocation, upstreamTimeoutMs),
      close: (graceMs) => closing ??= (async () => {
        streams.close();
        await closeServer(graceMs);
        table.close();
      })(),
    };
  } catch (error) {
    table.close();
    throw error;
  }
}

/** Loopback callbacks are allowed while the gateway itself is reached from this machine only: the first try at home works. */
function callbackAllowOf(settings: GatewaySettings): CallbackAllow {
  const named = settings.callback_allow.length > 0;
  const fallback = isLoopbackHost(settings.HOST) ? ['127.0.0.0/8', '::1', 'localhost'] : [];
  try {
    return parseCallbackAllow(named ? settings.callback_allow : fallback);
  } catch (error) {
    throw new SettingsError(`callback_allow=${settings.callback_allow.join(',')}: ${(error as Error).message}`, { cause: error });
  }
}
