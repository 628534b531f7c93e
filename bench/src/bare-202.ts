/** The yardstick for accepting: a bare node:http server that reads a body and answers 202. Prints its URL. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const server = createServer((req, res) => {
  req.on('data', () => { /* read to the end, as an accept must */ });
  req.on('end', () => {
    res.writeHead(202, { 'Content-Length': '0' });
    res.end();
  });
});
server.listen(0, '127.0.0.1', () => {
  // A TCP server's address is an AddressInfo once it listens.
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}/\n`);
});
