/**
 * What of NATS's messages the client does not offer as we need it: the header block as bytes, both ways, statuses, and
 * the reply subject of a delivery, which says what is delivered and where to answer.
 */
import type { Msg, MsgHdrs } from 'nats';

/** The client asks headers for one thing alone when it publishes: their bytes. */
export function encodedHeaders(block: Uint8Array): MsgHdrs {
  const headers = { encode: () => block };
  // MsgHdrs has no method in common with what publishing calls; a second encoding through it would lose order.
  return headers as unknown as MsgHdrs;
}

/**
 * The header block as it came; empty when there is none. The client decodes it into a map, which loses the order of
 * names and refuses some; but the block lies right before the body, in the same memory.
 */
export function headerBlock(msg: Msg): Uint8Array {
  // Left out of the client's type, not of its messages: subject, reply, headers and body together.
  const { data, size } = msg as Msg & { size(): number };
  const length = size.call(msg) - msg.subject.length - (msg.reply?.length ?? 0) - data.length;
  return new Uint8Array(data.buffer, data.byteOffset - length, length);
}

/** Nobody listens on the subject: no stream, no consumer, or no JetStream (yet). */
export function isNoResponders(msg: Msg): boolean {
  return msg.data.length === 0 && msg.headers?.code === 503;
}

/** A delivery, as its reply subject tells it. */
export interface DeliveryInfo {
  readonly stream: string;
  readonly consumer: string;
  /** Counted from 1. */
  readonly attempt: number;
  /** The message's position in its stream, as text: it may exceed 2^53. */
  readonly sequence: string;
  /** When the message was stored, in nanoseconds since the epoch, as text. */
  readonly storedNs: string;
}

/** The same for every delivery of a message, and for no other's: sequences begin again in a stream that is made anew. */
export function identityOf({ stream, sequence, storedNs }: Pick<DeliveryInfo, 'stream' | 'sequence' | 'storedNs'>): string {
  return `${stream}-${sequence}-${storedNs}`;
}

/**
 *     $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>
 *     $JS.ACK.<domain>.<account>.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>[.<random>]
 *
 * @returns `undefined` when the subject is neither
 */
export function parseDelivery(reply: string): DeliveryInfo | undefined {
  const tokens = reply.split('.');
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK') return undefined;
  const at = tokens.length === 9 ? 2 : tokens.length >= 11 ? 4 : -1;
  const [stream, consumer, delivered, sequence, , storedNs] = at < 0 ? [] : tokens.slice(at, at + 6);
  if (!stream || !consumer || !/^\d+$/.test(delivered ?? '') || !/^\d+$/.test(sequence ?? '') || !/^\d+$/.test(storedNs ?? '')) return undefined;
  return { stream, consumer, attempt: Number(delivered), sequence: sequence ?? '', storedNs: storedNs ?? '' };
}
