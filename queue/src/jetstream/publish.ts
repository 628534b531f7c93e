/**
 * Storing messages: calls, and what settling leaves behind. Each carries `Nats-Msg-Id`, kept when it is sent again, so
 * that a lost acknowledgement never stores anything twice.
 */
import { type Msg, nuid } from 'nats';
import type { Call } from '../call.js';
import { encodeCallHeaders } from '../call-codec.js';
import { BodyTooLarge, QueueFull } from '../errors.js';
import type { Receipt } from '../queue.js';
import { readError } from './api.js';
import { isNoResponders } from './message.js';
import type { Replies } from './replies.js';
import { callSubject } from './streams.js';

/** A dead letter is its call, or callback, and the cause; so neither may fill a message to the brim. */
export const causeBytes = 2_048;

export interface PublishLimits {
  readonly timeoutMs: number;
  /** Headers and body together; the broker's own limit holds besides. */
  readonly maxBodyBytes: number;
}

export class Publisher {
  readonly #replies: Replies;
  readonly #limits: PublishLimits;
  readonly #maxPayload: () => number;
  readonly #streamMissing: () => void;
  /** Drawn once: with a counter it makes ids as unique as one drawn each time. */
  readonly #messageIds = nuid.next();
  #published = 0;

  /**
   * @param maxPayload - the broker's limit for a message, `max_payload`
   * @param streamMissing - called when nobody serves a subject: the stream is gone, or its broker is not there yet
   */
  constructor(replies: Replies, limits: PublishLimits, maxPayload: () => number, streamMissing: () => void) {
    this.#replies = replies;
    this.#limits = limits;
    this.#maxPayload = maxPayload;
    this.#streamMissing = streamMissing;
  }

  /** @see Queue.publish */
  async publish(call: Call): Promise<Receipt> {
    const headers = encodeCallHeaders(call, `${this.#messageIds}-${(++this.#published).toString(36)}`);
    const size = headers.length + call.body.length;
    const limit = Math.min(this.#limits.maxBodyBytes, this.#maxPayload() - causeBytes);
    if (size > limit) throw new BodyTooLarge(`headers and body are ${size} bytes; the queue takes ${limit}`);
    const sequence = await this.#replies.request({
      subject: callSubject(call.lane), payload: call.body, headers, timeoutMs: this.#limits.timeoutMs, read: (msg) => this.#read(msg),
    });
    return { sequence };
  }

  /**
   * Stores what settling leaves behind, repeating until it is stored.
   * @param headers - with the `Nats-Msg-Id` that tells a repetition
   * @param spareBytes - how far below the broker's limit it must stay
   * @throws {BodyTooLarge} it can never be stored
   * @throws {QueueUnavailable} the queue is being closed
   */
  async store(subject: string, headers: Uint8Array, body: Uint8Array, spareBytes = 0): Promise<void> {
    const size = headers.length + body.length;
    const limit = this.#maxPayload() - spareBytes;
    if (size > limit) throw new BodyTooLarge(`headers and body are ${size} bytes; the broker takes ${limit}`);
    await this.#replies.request({
      subject, payload: body, headers, read: (msg) => { try { return this.#read(msg); } catch (err) { return again(err); } },
    });
  }

  /** As {@link readReceipt}. */
  #read(msg: Msg): string | undefined {
    if (!isNoResponders(msg)) return readReceipt(msg);
    this.#streamMissing();
    return undefined;
  }
}

/** What is settled is stored sooner or later: a limit holds it up, but does not make it go away. */
function again(err: unknown): undefined {
  if (err instanceof BodyTooLarge) throw err;
}

/**
 * @returns the sequence in JetStream's acknowledgement; `undefined` for what may be better in a moment
 * @throws {QueueFull} at the stream's limit
 * @throws {BodyTooLarge} at the stream's limit for a message
 */
function readReceipt(msg: Msg): string | undefined {
  const text = msg.string();
  const error = readError(text);
  if (!error) return /"seq":\s*(\d+)/.exec(text)?.[1];
  const { err_code: code, description = '' } = error;
  // The store refused: at one of the stream's limits, or because writing failed.
  if (code === 10_077 && /^maximum (messages|bytes)/.test(description)) throw new QueueFull(`the stream is at its limit: ${description}`);
  if (code === 10_023 || code === 10_047) throw new QueueFull(`JetStream is at its limit: ${description}`);
  if (code === 10_054) throw new BodyTooLarge(`the stream takes no message of this size: ${description}`);
  return undefined;
}
