/**
 * Applies outcomes. What must outlive a call is stored first, then the call is removed; every step is repeated until the
 * broker confirms it, and may be repeated: message ids tell a callback or a dead letter that is already stored.
 * Not here: choosing the outcome (the worker); when (consume.ts).
 */
import type { Callback, HeaderList } from '../call.js';
import { encodeCallbackHeaders } from '../call-codec.js';
import { BodyTooLarge, QueueUnavailable } from '../errors.js';
import type { Cause, Outcome } from '../outcome.js';
import { type Api, ApiError, errCodes } from './api.js';
import { encodeDeadLetterHeaders } from './dead-letters.js';
import type { Held } from './leases.js';
import { isNoResponders } from './message.js';
import { causeBytes, type Publisher } from './publish.js';
import type { Replies } from './replies.js';
import { callbackSubject, deadSubject } from './streams.js';

/** A delivery as it came, for what becomes of it. */
export interface Source {
  readonly callId: string;
  /** The lane's key, or `callback`. */
  readonly lane: string;
  readonly written: HeaderList;
  readonly body: Uint8Array;
}

/** A year. JetStream takes what it cannot read for no delay at all. */
const longestDelayMs = 31_536_000_000;

export class Settler {
  readonly #replies: Replies;
  readonly #api: Api;
  readonly #publisher: Publisher;
  readonly #leaseMs: number;

  constructor(replies: Replies, api: Api, publisher: Publisher, leaseMs: number) {
    this.#replies = replies;
    this.#api = api;
    this.#publisher = publisher;
    this.#leaseMs = leaseMs;
  }

  /**
   * Resolves once the broker has confirmed everything.
   * @throws {QueueUnavailable} the queue was closed first: the call will be delivered again
   */
  async settle(held: Held, source: Source, outcome: Outcome): Promise<void> {
    switch (outcome.kind) {
      case 'retry':
        return this.giveBack(held, outcome.delayMs);
      case 'done': {
        held.state = 'ending';
        const tooLarge = await this.#storeCallback(held, source, outcome.callback);
        if (tooLarge) await this.#bury(held, source, tooLarge);
        return this.#remove(held);
      }
      case 'dead': {
        held.state = 'ending';
        await this.#storeCallback(held, source, outcome.callback);
        await this.#bury(held, source, outcome.cause);
        return this.#remove(held);
      }
    }
  }

  /**
   * To be delivered again after `delayMs`, by whomever. Said again only while nobody can have it yet, neither by the
   * delay nor by the lease's end: later it would take the call from whoever runs it.
   * @throws {QueueUnavailable} nobody confirmed it: the call will be delivered again when its lease ends
   */
  async giveBack(held: Held, delayMs: number): Promise<void> {
    held.state = 'returning';
    const wholeMs = Math.ceil(Math.min(Math.max(delayMs, 0), longestDelayMs)) || 0;
    // Nanoseconds by text: they would exceed 2^53.
    const payload = wholeMs > 0 ? `-NAK {"delay": ${wholeMs}000000}` : '-NAK';
    await this.#replies.request({ subject: held.reply, payload, repeatForMs: Math.min(wholeMs, this.#leaseMs / 2), read: (msg) => isNoResponders(msg) ? undefined : true });
  }

  /** @returns a cause when the callback can never be stored: the call is kept among the dead letters instead */
  async #storeCallback(held: Held, { lane }: Source, callback: Callback | undefined): Promise<Cause | undefined> {
    if (!callback) return undefined;
    try {
      const headers = encodeCallbackHeaders(callback, `callback-${held.identity}`);
      await this.#publisher.store(callbackSubject(lane), headers, callback.body, causeBytes);
      return undefined;
    } catch (err) {
      if (!(err instanceof BodyTooLarge)) throw err;
      return { code: 'callback_too_large', message: `The function answered, but its callback cannot be queued: ${err.message}.`, attempts: held.attempt };
    }
  }

  async #bury(held: Held, { callId, lane, written, body }: Source, cause: Cause): Promise<void> {
    const headers = encodeDeadLetterHeaders({ messageId: `dead-${held.identity}`, callId, cause, written });
    try {
      await this.#publisher.store(deadSubject(lane), headers, body);
    } catch (err) {
      if (!(err instanceof BodyTooLarge) || body.length === 0) throw err;
      const message = `${cause.message} (Its body of ${body.length} bytes no longer fits into a message.)`;
      await this.#bury(held, { callId, lane, written, body: new Uint8Array() }, { ...cause, message });
    }
  }

  async #remove(held: Held): Promise<void> {
    for (let answered = ''; answered !== held.reply;) {
      answered = held.reply;
      const read = isNoResponders;
      const nobody = await this.#replies.request({ subject: answered, payload: '+ACK', read });
      // The consumer is gone, and one made in its place would deliver the call again.
      if (nobody) await this.#delete(held);
    }
  }

  async #delete({ stream, sequence }: Held): Promise<void> {
    for (;;) {
      try {
        await this.#api.askText(`STREAM.MSG.DELETE.${stream}`, `{"seq": ${sequence}, "no_erase": true}`);
        return;
      } catch (err) {
        if (err instanceof ApiError && (err.errCode === errCodes.messageNotFound || err.errCode === errCodes.messageDeleteFailed)) return;
        // Silence is asked again until closing ends it; refusals are told.
        if (!(err instanceof QueueUnavailable) || this.#replies.closing) throw err;
      }
    }
  }
}
