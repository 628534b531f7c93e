/**
 * `GET /system/watch`, our addition to the provider protocol: a line per FunctionEvent, the snapshot first, and a
 * blank line now and then as the heartbeat. It is how a remote gateway learns of replicas without asking.
 */
import type { RequestHandler } from 'express';
import type { Provider } from '../provider.js';
import { encodeEvent } from '../wire.js';
import { startLines, type OpenStreams } from './streams.js';

/** A reader this far behind is cut off; it comes back for a fresh snapshot, which is shorter than what it missed. */
const maxUnreadBytes = 16 * 1024 * 1024;

export function watchRoute(provider: Provider, streams: OpenStreams, heartbeatMs: number): RequestHandler {
  return (_request, response) => {
    const signal = streams.open(response);
    startLines(response);
    const send = (line: string): void => {
      if (response.writableLength > maxUnreadBytes) response.destroy();
      else response.write(`${line}\n`);
    };
    const heartbeat = setInterval(() => send(''), heartbeatMs);
    const stop = provider.watch((event) => send(JSON.stringify(encodeEvent(event))));
    const end = (): void => {
      clearInterval(heartbeat);
      stop();
      response.end();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  };
}
