/**
 * What `postern up` tells a person: where the gateway is, a line a function as soon as it is ready, and a call to paste.
 * Not here: the log (log.ts).
 */
import type { Gateway } from '@postern/gateway';
import { type FunctionEvent, type Provider, type Refused, functionKey } from '@postern/provider';

export interface AnnounceOptions {
  readonly gateway: Gateway;
  readonly provider: Provider;
  readonly refused: readonly Refused[];
  /** `embedded in .postern` or `JetStream at nats://…`. */
  readonly queue: string;
  readonly version: string;
  readonly defaultNamespace: string;
  readonly write: (line: string) => void;
}

/** @returns ends the announcements */
export function announce({ gateway, provider, refused, queue, version, defaultNamespace, write }: AnnounceOptions): () => void {
  write(`Postern ${version} at ${gateway.url}, queue ${queue}`);
  if (gateway.credentials) write(`/system asks for user ${gateway.credentials.user}; the password is in ${gateway.credentials.dir}/basic-auth-password`);
  for (const { spec, error } of refused) write(`  refused  ${spec.name}: ${error.message}`);

  const ready = new Set<string>();
  const told = new Map<string, string>();
  let all: readonly string[] | undefined;
  let tried = false;

  const tryLine = () => {
    if (tried || all === undefined || !all.every((key) => ready.has(key) || told.has(key))) return;
    tried = true;
    const name = ready.has(`wordcount.${defaultNamespace}`) ? 'wordcount' : nameOf([...ready][0], defaultNamespace);
    if (name !== undefined) {
      write('Try a call that is queued, and one that is answered at once:');
      write(`  curl -i ${gateway.url}/async-function/${name} -d 'one two three'`);
      write(`  curl -i ${gateway.url}/function/${name} -d 'one two three'`);
    }
    write('Ctrl-C stops everything.');
  };
  const take = (event: FunctionEvent) => {
    switch (event.kind) {
      case 'changed': {
        const { spec, endpoints, reason } = event.state;
        const key = functionKey(spec);
        if (endpoints.length > 0 && !ready.has(key)) {
          ready.add(key);
          write(`  ready    ${nameOf(key, defaultNamespace)?.padEnd(16)} ${gateway.url}/function/${nameOf(key, defaultNamespace)}`);
        } else if (endpoints.length === 0 && reason !== undefined && told.get(key) !== reason) {
          told.set(key, reason);
          write(`  waiting  ${nameOf(key, defaultNamespace)}: ${reason}`);
        }
        break;
      }
      case 'removed': break;
      case 'synced': all = event.refs.map(functionKey);
    }
    tryLine();
  };
  return provider.watch(take);
}

function nameOf(key: string | undefined, defaultNamespace: string): string | undefined {
  return key?.endsWith(`.${defaultNamespace}`) ? key.slice(0, -defaultNamespace.length - 1) : key;
}
