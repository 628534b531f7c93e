/**
 * Request bodies: read whole up to a limit (calls to be queued, and what is small anyway), or passed on as a stream.
 * Not here: what an upstream does with them.
 */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { BodyTooLarge } from '@postern/queue';
import { GatewayError } from './errors.js';

const none = Buffer.alloc(0);

/** The announced length; `undefined` for a body in chunks; 0 when there is none. */
export function announcedLength(req: IncomingMessage): number | undefined {
  const length = req.headers['content-length'];
  if (length !== undefined) return Number(length);
  return req.headers['transfer-encoding'] === undefined ? 0 : undefined;
}

/**
 * @param maxBytes - checked against the announced length before a byte is read, and while reading
 * @param done - called exactly once
 */
export function readBody(req: IncomingMessage, maxBytes: number, done: (error: BodyTooLarge | GatewayError | undefined, body: Buffer) => void): void {
  const announced = announcedLength(req);
  if (announced !== undefined && announced > maxBytes) {
    done(tooLarge(maxBytes), none);
    return;
  }
  if (announced === 0) {
    done(undefined, none);
    return;
  }
  let bytes = 0;
  let first: Buffer | undefined;
  let rest: Buffer[] | undefined;
  const onData = (chunk: Buffer) => {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) finish(tooLarge(maxBytes));
    else if (first === undefined) first = chunk;
    else (rest ??= []).push(chunk);
  };
  const onEnd = () => { finish(undefined); };
  const onClose = () => { finish(new GatewayError('body_aborted', 'The connection ended before the whole body had arrived; nothing was queued.')); };
  const finish = (error: BodyTooLarge | GatewayError | undefined) => {
    req.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
    if (error) done(error, none);
    else done(undefined, first === undefined ? none : rest === undefined ? first : Buffer.concat([first, ...rest]));
  };
  req.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
}

function tooLarge(maxBytes: number): BodyTooLarge {
  return new BodyTooLarge(`The body is over max_body_bytes (${maxBytes} bytes): send less, or put the data elsewhere and send where it is.`);
}

/**
 * The body as a stream of its own, so that an upstream which stops reading and destroys it does not take the caller's
 * connection, and the answer on it, along.
 */
export function bodyStream(req: IncomingMessage): Readable {
  const stream = new Readable({
    read() { req.resume(); },
    destroy(error, callback) {
      req.off('data', onData).off('end', onEnd).off('close', onClose);
      callback(error);
    },
  });
  const onData = (chunk: Buffer) => { if (!stream.push(chunk)) req.pause(); };
  const onEnd = () => { stream.push(null); };
  const onClose = () => { stream.destroy(new GatewayError('body_aborted', 'The caller ended the connection in the middle of its body.')); };
  req.on('data', onData).on('end', onEnd).on('close', onClose);
  req.pause();
  // While the request waits for a replica nobody else listens yet; whoever reads later hears of it by the stream's state.
  stream.on('error', () => undefined);
  return stream;
}

const lingerMs = 2_000;
const lingerBytes = 64 * 1_024 * 1_024;

/**
 * After an early answer: takes and drops what the caller is still sending, for a bounded while, because closing at once
 * would reset the connection before the caller has read the answer (RFC 9112 section 9.6).
 */
export function discardRest(req: IncomingMessage): void {
  if (req.complete || req.destroyed) return;
  let bytes = 0;
  const timer = setTimeout(() => { req.destroy(); }, lingerMs);
  req.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength;
    if (bytes > lingerBytes) req.destroy();
  });
  const over = () => { clearTimeout(timer); };
  req.once('end', over).once('close', over).once('error', over);
  req.resume();
}
