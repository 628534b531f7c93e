/** The yardstick for sync calls: a bare undici proxy, as short as one can be. Argument: the upstream's URL. Prints its own. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';

const pool = new Pool(process.argv[2] ?? '');
const server = createServer((req, res) => {
  const method = req.method ?? 'GET';
  pool.stream({ path: '/', method, headers: req.headers, body: req }, ({ statusCode, headers }) => res.writeHead(statusCode, headers))
    .catch(() => { res.destroy(); });
});
server.listen(0, '127.0.0.1', () => {
  // A TCP server's address is an AddressInfo once it listens.
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}/\n`);
});
