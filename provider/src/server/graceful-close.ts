/**
 * Closing an HTTP server without cutting what it is about to answer, and without waiting for clients that ask nothing.
 * `server.close()` ends the connections that are idle at that moment; here are the two kinds it forgets: those that
 * become idle later, and those over which nothing was ever asked (clients open them ahead of need).
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** How soon after its last answer a connection is ended. Looked at only while closing, so that a request pays nothing for it. */
const sweepMs = 20;

/**
 * To be called before the server listens.
 * @returns closes it: resolves when all requests are answered, or cut after `graceMs`. Idempotent.
 */
export function gracefulClose(server: Server): (graceMs: number) => Promise<void> {
  const unused = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  server.on('request', (request) => { unused.delete(request.socket); });
  const closed = new Promise<void>((resolve) => server.once('close', resolve));
  return async (graceMs) => {
    server.close();
    for (const socket of unused) socket.destroy();
    const sweep = setInterval(() => { server.closeIdleConnections(); }, sweepMs);
    const cut = setTimeout(() => { server.closeAllConnections(); }, graceMs);
    await closed;
    clearInterval(sweep);
    clearTimeout(cut);
  };
}
