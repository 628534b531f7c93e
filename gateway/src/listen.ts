/** Binding a port, with a line that helps when it cannot be had. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SettingsError } from '@postern/settings';

/**
 * @returns the URL under which the server is reached
 * @throws {SettingsError} the port is taken or may not be used, naming it and what to do
 */
export async function listen(server: Server, host: string, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => { reject(explain(error, host, port)); });
    server.listen(port, host, resolve);
  });
  // A TCP server's address is an AddressInfo once it listens.
  const { port: bound } = server.address() as AddressInfo;
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${bound}`;
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): Error {
  switch (error.code) {
    case 'EADDRINUSE': return new SettingsError(`port ${port} on ${host} is in use: stop the program that has it, or set PORT to another (PORT=0 picks a free one)`, { cause: error });
    case 'EACCES': return new SettingsError(`port ${port} may not be used by this user: set PORT to one above 1023`, { cause: error });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND': return new SettingsError(`HOST=${host} is no address of this machine: set HOST to 127.0.0.1 or 0.0.0.0`, { cause: error });
    default: return error;
  }
}
