/**
 * Reads a request's body into memory.
 */
import type { IncomingMessage } from 'node:http';
import { BadRequest } from './answer.js';

/**
 * @param limitBytes more than this is refused
 * @throws {BadRequest} 413
 * @throws the stream's own error when the caller goes away midway
 */
export function readBody(request: IncomingMessage, limitBytes = Infinity): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const tooLarge = () => new BadRequest(413, `the body is larger than ${limitBytes} bytes`);
    if (Number(request.headers['content-length'] ?? 0) > limitBytes) {
      reject(tooLarge());
      return;
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limitBytes) {
        request.removeAllListeners('data').resume();
        reject(tooLarge());
      } else {
        chunks.push(chunk);
      }
    });
    request.on('end', () => {
      const [first] = chunks;
      resolve(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, bytes));
    });
    request.on('error', reject);
    request.on('close', () => request.readableEnded || reject(new DOMException('the caller went away before its body had arrived', 'AbortError')));
  });
}
