/**
 * Closing an HTTP server without cutting what it is about to answer, and without waiting for clients that ask nothing.
 * `server.close()` ends the connections that are idle at that moment; here are the two kinds it forgets: those that
 * become idle later, and those over which nothing was ever asked (clients open them ahead of need).
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * To be called before the server listens.
 * @returns closes it: resolves when all requests are answered, or cut after `graceMs`. Idempotent.
 */
export function gracefulClose(server: Server): (graceMs: number) => Promise<void> {
  const unused = new Set<Socket>();
  let closing = false;
  server.on('connection', (socket: Socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  server.on('request', (request, response) => {
    unused.delete(request.socket);
    response.once('close', () => { if (closing) request.socket.end(); });
  });
  const closed = new Promise<void>((resolve) => server.once('close', resolve));
  return async (graceMs) => {
    closing = true;
    server.close();
    for (const socket of unused) socket.destroy();
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(cut);
  };
}
