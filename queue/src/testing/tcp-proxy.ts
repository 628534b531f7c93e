/** A TCP proxy on loopback that tests put between a client and a server, to lose what one of them says. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** What the server says passes through here; empty: it is lost. */
  fromServer: (chunk: Buffer) => Buffer;
  /** Reads nothing more from either side, and tells neither; or goes on where it stopped. */
  setDeaf(deaf: boolean): void;
  /** Cuts every connection. */
  cut(): void;
  close(): Promise<void>;
}

export async function startTcpProxy(serverPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(serverPort, '127.0.0.1');
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      sockets.add(socket);
      socket.on('error', () => { /* `close` follows */ });
      socket.on('close', () => { sockets.delete(socket); other.destroy(); });
    }
    client.on('data', (chunk: Buffer) => { upstream.write(chunk); });
    upstream.on('data', (chunk: Buffer) => { client.write(proxy.fromServer(chunk)); });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port to be had on 127.0.0.1');
  const cut = (): void => { for (const socket of sockets) socket.destroy(); };
  const proxy: TcpProxy = {
    port: address.port,
    fromServer: (chunk) => chunk,
    setDeaf: (deaf) => { for (const socket of sockets) if (deaf) socket.pause(); else socket.resume(); },
    cut,
    close: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;
}
