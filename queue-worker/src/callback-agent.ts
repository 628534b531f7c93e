/**
 * The connections callbacks go over. A host name is resolved here, each address is checked, and the connection is made to
 * one that passed: there is no second look-up that could answer otherwise. Redirects are not followed, proxies not used.
 * Not here: the rule itself (@postern/queue callback-target.ts).
 */
import { type LookupAddress, lookup } from 'node:dns';
import { type LookupFunction, isIP } from 'node:net';
import { type CallbackAllow, isAllowedAddress } from '@postern/queue';
import { Agent, buildConnector } from 'undici';
import { AddressRefused } from './errors.js';

/** All addresses of a name, as `dns.lookup` gives them. A test gives its own. */
export type Resolve = (hostname: string, callback: (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]) => void) => void;

export const systemResolve: Resolve = (hostname, callback) => { lookup(hostname, { all: true }, callback); };

export interface CallbackAgentOptions {
  readonly allow: CallbackAllow;
  readonly resolve: Resolve;
  readonly connectTimeoutMs: number;
}

export function callbackAgent({ allow, resolve, connectTimeoutMs }: CallbackAgentOptions): Agent {
  const lookupAllowed: LookupFunction = (hostname, options, callback) => {
    resolve(hostname, (error, all) => {
      if (error) {
        callback(error, []);
        return;
      }
      const allowed = all.filter(({ address }) => isAllowedAddress(address, hostname, allow));
      const [first] = allowed;
      if (!first) callback(refused(hostname, all.map(({ address }) => address)), []);
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
  const connectAllowed = buildConnector({ lookup: lookupAllowed, timeout: connectTimeoutMs });
  return new Agent({
    pipelining: 1,
    connect: (options, callback) => {
      // An address given as such is connected to without a look-up.
      if (isIP(options.hostname) !== 0 && !isAllowedAddress(options.hostname, options.hostname, allow)) {
        queueMicrotask(() => { callback(refused(options.hostname, [options.hostname]), null); });
      } else {
        connectAllowed(options, callback);
      }
    },
  });
}

function refused(hostname: string, addresses: readonly string[]): AddressRefused {
  return new AddressRefused(`${hostname} leads to ${addresses.join(', ') || 'no address'}, which is not public: add it to callback_allow if callbacks may go there.`);
}
