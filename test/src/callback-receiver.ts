/** Takes the callbacks of asynchronous calls on 127.0.0.1 and hands them out in the order they came. */
import { EventEmitter, on, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface Callback {
  readonly callId: string;
  /** The function's status; NaN when the header is missing. */
  readonly functionStatus: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface CallbackReceiver {
  /** What to send as `X-Callback-Url`. */
  readonly url: string;
  /** Every callback from the start on, then each as it arrives; never ends by itself. Rejects when `signal` is aborted. */
  callbacks(signal: AbortSignal): AsyncGenerator<Callback, void>;
  close(): Promise<void>;
}

/** @param port - 0, the default, takes any free one */
export async function startCallbackReceiver(port = 0): Promise<CallbackReceiver> {
  const arrived: Callback[] = [];
  const arrivals = new EventEmitter();
  const server = createServer((request, response) => {
    buffer(request).then((body) => {
      const { headers } = request;
      arrived.push({ callId: String(headers['x-call-id']), functionStatus: Number(headers['x-function-status'] ?? Number.NaN), headers, body });
      arrivals.emit('callback');
      response.end();
    }, () => response.destroy());
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  // A listening TCP server's address is never a path.
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${bound}/`,
    async *callbacks(signal) {
      // Listening starts before the look at what has arrived, so that nothing falls between.
      const more = on(arrivals, 'callback', { signal });
      try {
        for (let next = 0; ; next += 1) {
          while (next >= arrived.length) await more.next();
          const callback = arrived[next];
          if (callback !== undefined) yield callback;
        }
      } finally {
        await more.return?.();
      }
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
