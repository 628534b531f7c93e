/** Taking HOST and the port settings at their word, with a line that helps when they cannot be had. */
import type { Server } from 'node:http';
import { type AddressInfo, isIPv4 } from 'node:net';
import { SettingsError } from './settings.js';

/** Whether the address, or name, is one that only this machine can reach a server on. */
export function isLoopbackHost(host: string): boolean {
  // A server on :: tells an IPv4 address in IPv6 clothes.
  const address = host.replace(/^::ffff:/i, '');
  return host === 'localhost' || host === '::1' || (isIPv4(address) && address.startsWith('127.'));
}

/**
 * @param setting - the port's name in the environment, for the message
 * @returns the URL under which the server is reached
 * @throws {SettingsError} the port is taken or may not be used, naming it and what to do
 */
export async function listen(server: Server, host: string, port: number, setting = 'PORT'): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException) => { reject(explain(error, host, port, setting)); };
    server.once('error', refused);
    server.listen(port, host, () => {
      server.off('error', refused);
      resolve();
    });
  });
  // A TCP server's address is an AddressInfo once it listens.
  const { port: bound } = server.address() as AddressInfo;
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${bound}`;
}

function explain(error: NodeJS.ErrnoException, host: string, port: number, setting: string): Error {
  switch (error.code) {
    case 'EADDRINUSE': return new SettingsError(`port ${port} on ${host} is in use: stop the program that has it, or set ${setting} to another (${setting}=0 picks a free one)`, { cause: error });
    case 'EACCES': return new SettingsError(`port ${port} may not be used by this user: set ${setting} to one above 1023`, { cause: error });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND': return new SettingsError(`HOST=${host} is no address of this machine: set HOST to 127.0.0.1 or 0.0.0.0`, { cause: error });
    default: return error;
  }
}
