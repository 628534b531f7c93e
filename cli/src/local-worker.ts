/** A queue-worker in the gateway's process: the router and the provider's watch instead of HTTP. */
import type { Gateway } from '@postern/gateway';
import { type FunctionSpec, type Provider, functionKey } from '@postern/provider';
import { type DeployedFunction, type FunctionList, type Invoke, functionHeaders } from '@postern/queue-worker';

/** Enough of an answer for an error's code, where nobody has asked for the rest. */
const withoutCallbackBytes = 16_384;

/** @param maxAnswerBytes - the longest answer that becomes a callback */
export function invokeThroughRouter(gateway: Gateway, maxAnswerBytes: number): Invoke {
  return (call, attempt, signal) => {
    const path = call.path === '' ? '/' : call.path;
    return gateway.invoke({
      function: `${call.lane.function}.${call.lane.namespace}`,
      method: call.method,
      target: call.query === '' ? path : `${path}?${call.query}`,
      headers: functionHeaders(call, attempt),
      body: call.body.byteLength === 0 ? null : call.body,
      signal,
      ...call.callbackUrl === undefined
        ? { maxAnswerBytes: withoutCallbackBytes, whenLonger: 'cut' as const }
        : { maxAnswerBytes, whenLonger: 'fail' as const },
    });
  };
}

/** The provider's functions, as the worker sees them. */
export function functionListOf(provider: Provider): FunctionList {
  return {
    watch(listener) {
      const functions = new Map<string, DeployedFunction>();
      let synced = false;
      const tell = () => { if (synced) listener([...functions.values()]); };
      return provider.watch((event) => {
        switch (event.kind) {
          case 'changed': {
            const key = functionKey(event.state.spec);
            const known = functions.get(key);
            functions.set(key, deployed(event.state.spec));
            // Replicas come and go; only annotations concern a worker.
            if (known?.annotations === event.state.spec.annotations) return;
            break;
          }
          case 'removed':
            functions.delete(functionKey(event.ref));
            break;
          case 'synced': {
            const keys = new Set(event.refs.map(functionKey));
            for (const key of functions.keys()) if (!keys.has(key)) functions.delete(key);
            synced = true;
          }
        }
        tell();
      });
    },
  };
}

function deployed({ name, namespace, annotations }: FunctionSpec): DeployedFunction {
  return { name, namespace, annotations };
}
