/**
 * The gateway's `/healthz`, `/system/*` and `/metrics`: what every provider's server says (provider/), with the counts and
 * the info that only a gateway has.
 */
import type { RequestListener } from 'node:http';
import { type OpenStreams, type Provider, type ProviderInfo, createSystemApp, functionKey, functionStatus } from '@postern/provider';
import type { Credentials } from '@postern/settings';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { FunctionTable } from './function-table.js';

export interface SystemApiOptions {
  readonly provider: Provider;
  readonly table: FunctionTable;
  readonly registry: Registry;
  readonly credentials: Credentials | undefined;
  readonly streams: OpenStreams;
  readonly defaultNamespace: string;
  readonly version: string;
  readonly log: Logger;
}

export function createSystemApi({ provider, table, registry, version, ...options }: SystemApiOptions): RequestListener {
  return createSystemApp(provider, {
    ...options,
    describe: (state) => {
      const { name, image, ...rest } = functionStatus(state);
      return { name, image, invocationCount: table.get(functionKey(state.spec))?.metrics.count ?? 0, ...rest };
    },
    guarded: {
      '/system/info': {
        get: async (_request, response) => {
          response.json(gatewayInfo(await provider.info().catch(() => undefined), version));
        },
      },
      '/metrics': {
        get: async (_request, response) => {
          response.type(registry.contentType).send(await registry.metrics());
        },
      },
    },
  });
}

/** OpenFaaS's GatewayInfo; `provider` is null while the provider is away. */
function gatewayInfo(info: ProviderInfo | undefined, version: string): object {
  const release = (text: string) => ({ sha: '', release: text });
  return {
    provider: info === undefined ? null : { provider: info.provider, orchestration: info.orchestration, version: release(info.version) },
    version: release(version),
    arch: process.arch,
  };
}
