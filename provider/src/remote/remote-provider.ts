/**
 * A provider behind HTTP: whatever speaks OpenFaaS's provider protocol with our `/system/watch`, as server/ does.
 * While it is away, calls fail with ProviderUnavailable and the listeners keep the replicas they were last told.
 */
import type { Logger } from 'pino';
import type { Credentials } from '@postern/settings';
import { functionDeployment } from '../deployment.js';
import { FunctionNotFound, ProviderUnavailable } from '../errors.js';
import type { FunctionRef, LogLine, LogQuery, Provider } from '../provider.js';
import { decodeInfo, decodeLogLine, decodeState, decodeStates, heartbeatMs } from '../wire.js';
import { readLines } from './ndjson.js';
import { ProviderClient } from './provider-client.js';
import { ReplicaTable } from './replica-table.js';
import { followWatch } from './watch-stream.js';

export interface RemoteProviderOptions {
  /** Of the provider; a slash at its end makes no difference. */
  readonly url: string;
  readonly credentials?: Credentials | undefined;
  readonly log: Logger;
  /** For each call; 10 s unless given. */
  readonly deadlineMs?: number;
  /** The server's; 5 s unless given. */
  readonly heartbeatMs?: number;
}

/** Connects when first asked or watched: the provider may start later. */
export function createRemoteProvider(options: RemoteProviderOptions): Provider {
  const { url, credentials, deadlineMs = 10_000 } = options;
  const client = new ProviderClient({ url, credentials, deadlineMs });
  const watch = sharedWatch(client, options);
  return {
    deploy: (spec) => client.tell('POST', '/system/functions', functionDeployment(spec)),
    update: (spec) => client.tell('PUT', '/system/functions', functionDeployment(spec)),
    remove: ({ name, namespace }) => client.tell('DELETE', `/system/functions?${new URLSearchParams({ namespace })}`, { functionName: name, namespace }),
    scale: (ref, replicas) => client.tell('POST', functionPath('/system/scale-function', ref), {
      serviceName: ref.name, namespace: ref.namespace, replicas,
    }),
    list: (namespace) => client.ask(`/system/functions?${new URLSearchParams({ namespace })}`, decodeStates),
    get: async (ref) => {
      try {
        return await client.ask(functionPath('/system/function', ref), decodeState);
      } catch (error) {
        if (error instanceof FunctionNotFound) return undefined;
        throw error;
      }
    },
    watch: watch.watch,
    logs: async (query) => {
      const chunks = await client.stream(logsPath(query), query.follow ? 0 : deadlineMs, query.signal);
      return readLog(chunks, query.signal);
    },
    info: () => client.ask('/system/info', decodeInfo),
    close: async () => {
      watch.close();
      await client.close();
    },
  };
}

/** One stream for all listeners, held while there is one. */
function sharedWatch(client: ProviderClient, { log, heartbeatMs: serverHeartbeatMs = heartbeatMs }: RemoteProviderOptions): {
  readonly watch: Provider['watch'];
  readonly close: () => void;
} {
  const table = new ReplicaTable();
  let following: AbortController | undefined;
  let closed = false;

  const stop = (): void => {
    following?.abort();
    following = undefined;
  };
  return {
    watch: (listener) => {
      // Its own, so that one function watching twice is two listeners.
      const own: typeof listener = (event) => listener(event);
      table.add(own);
      if (following === undefined && !closed) {
        following = new AbortController();
        void followWatch({ client, log, heartbeatMs: serverHeartbeatMs }, (event) => table.apply(event), following.signal);
      }
      return () => {
        table.delete(own);
        if (table.watched) return;
        stop();
        table.clear();
      };
    },
    close: () => {
      closed = true;
      stop();
    },
  };
}

function functionPath(path: string, { name, namespace }: FunctionRef): string {
  return `${path}/${encodeURIComponent(name)}?${new URLSearchParams({ namespace })}`;
}

function logsPath({ name, namespace, instance, tail, since, follow }: LogQuery): string {
  const query = new URLSearchParams({ name, namespace, follow: String(follow) });
  if (instance !== undefined) query.set('instance', instance);
  if (since !== undefined) query.set('since', since.toISOString());
  // All that is kept is -1 there: without it and `since` the protocol means the last five minutes.
  query.set('tail', String(tail ?? -1));
  return `/system/logs?${query}`;
}

async function* readLog(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<LogLine> {
  try {
    for await (const line of readLines(chunks)) {
      if (line !== '') yield decodeLogLine(JSON.parse(line));
    }
  } catch (cause) {
    if (signal.aborted) return;
    throw new ProviderUnavailable('the provider broke off the log', { cause });
  }
}
