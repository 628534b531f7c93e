/**
 * Bodies held in memory: how large they may be, and how a request's is read.
 */
import type { IncomingMessage } from 'node:http';

/** What is not streamed may be this large, unless a function's own setting says otherwise. index.py has the same. */
export const maxBufferedBytes = 256 * 2 ** 20;

/** The request is at fault, not the function: answered with this status, and not logged as a failure. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';

  constructor(readonly status: 400 | 413 | 415, message: string) {
    super(message);
  }
}

/**
 * @param limitBytes more than this is refused
 * @throws {BadRequest} 413
 * @throws the stream's own error when the caller goes away midway
 */
export function readBody(request: IncomingMessage, limitBytes = maxBufferedBytes): Promise<Buffer> {
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
