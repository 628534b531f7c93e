/**
 * Requests and their answers, pipelined: one inbox for all, the last token of its subjects says whose answer it is.
 * A request is sent again, unchanged, until its answer is accepted: after a new connection, after an answer that is
 * none, and after a second of silence. So whoever asks must ask for what may be asked twice,
 * or say for how long.
 * One timer serves them all; a timer each would cost more than the request.
 */
import { createInbox, type Msg, type NatsConnection, type NatsError, type PublishOptions } from 'nats';
import type { Logger } from 'pino';
import { QueueUnavailable } from '../errors.js';
import { encodedHeaders, isNoResponders } from './message.js';

export interface Request<Answer> {
  readonly subject: string;
  readonly payload: Uint8Array | string;
  /** An encoded header block. */
  readonly headers?: Uint8Array;
  /** Given up after this long, with {@link QueueUnavailable}; without it, when the queue is closed. */
  readonly timeoutMs?: number;
  /** Sent again only within so long of its first sending; unanswered by then, it is given up. Unless told, for ever. */
  readonly repeatForMs?: number;
  /** `undefined`: no answer yet, ask again. Throws: the request has failed for good. */
  read(msg: Msg): Answer | undefined;
}

interface Waiting {
  readonly subject: string;
  readonly payload: Uint8Array | string;
  readonly options: PublishOptions;
  answer(msg: Msg): boolean;
  fail(error: Error): void;
  giveUpAt: number;
  readonly repeatForMs: number;
  /** Counted from the first sending. */
  repeatUntil: number;
  sendAgainAt: number;
  sends: number;
  problem: string;
}

const sweepMs = 50;
const silenceMs = 1_000;
const longestSilenceMs = 8_000;

export class Replies {
  readonly #prefix = `${createInbox()}.`;
  readonly #waiting = new Map<string, Waiting>();
  readonly #log: Logger;
  #unsent: Waiting[] = [];
  #connection: NatsConnection | undefined;
  #lastToken = 0;
  #timer: NodeJS.Timeout | undefined;
  #patienceMs = Infinity;
  #onIdle: (() => void)[] = [];

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Answers come over this connection from now on; everything unanswered is asked again. */
  attach(connection: NatsConnection): void {
    this.#connection = connection;
    connection.subscribe(`${this.#prefix}*`, { callback: (err, msg) => { this.#receive(err, msg); } });
    for (const waiting of this.#waiting.values()) if (performance.now() < waiting.repeatUntil) this.#send(waiting);
  }

  detach(): void {
    this.#connection = undefined;
  }

  request<Answer>({ subject, payload, headers, timeoutMs = Infinity, repeatForMs = Infinity, read }: Request<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const token = (++this.#lastToken).toString(36);
      const waiting: Waiting = {
        subject,
        payload,
        options: { reply: this.#prefix + token, ...(headers && { headers: encodedHeaders(headers) }) },
        answer: (msg) => {
          const answer = read(msg);
          if (answer !== undefined) resolve(answer);
          return answer !== undefined;
        },
        fail: reject,
        giveUpAt: performance.now() + Math.min(timeoutMs, this.#patienceMs),
        repeatForMs,
        repeatUntil: Infinity,
        sendAgainAt: Infinity,
        sends: 0,
        problem: 'no answer',
      };
      this.#waiting.set(token, waiting);
      this.#unsent.push(waiting);
      // Once a turn of the event loop: requests come by the chunk, and a write each costs more than the request.
      if (this.#unsent.length === 1) setImmediate(this.#sendUnsent);
      if (!this.#timer) this.#timer = setTimeout(this.#sweep, sweepMs);
    });
  }

  get closing(): boolean {
    return this.#patienceMs !== Infinity;
  }

  /** Nothing waits longer than this from now on. Resolves when nothing waits. */
  async close(patienceMs: number): Promise<void> {
    this.hurry(patienceMs);
    if (this.#waiting.size > 0) await new Promise<void>((resolve) => { this.#onIdle.push(resolve); });
  }

  /** Bounds every wait, present and to come. */
  hurry(patienceMs: number): void {
    this.#patienceMs = patienceMs;
    const latest = performance.now() + patienceMs;
    for (const waiting of this.#waiting.values()) waiting.giveUpAt = Math.min(waiting.giveUpAt, latest);
  }

  readonly #sendUnsent = (): void => {
    const unsent = this.#unsent;
    this.#unsent = [];
    for (const waiting of unsent) if (waiting.sends === 0) this.#send(waiting);
  };

  #send(waiting: Waiting): void {
    if (!this.#connection) return;
    const now = performance.now();
    if (waiting.sends === 0) waiting.repeatUntil = now + waiting.repeatForMs;
    waiting.sends++;
    waiting.sendAgainAt = now + Math.min(silenceMs * 2 ** (waiting.sends - 1), longestSilenceMs);
    try {
      this.#connection.publish(waiting.subject, waiting.payload, waiting.options);
    } catch (err) {
      // The connection has just ended; what is unanswered is sent again over the next.
      waiting.problem = err instanceof Error ? err.message : String(err);
    }
  }

  /** Nothing may be thrown from here: it would end the client's reading. */
  #receive(err: NatsError | null, msg: Msg): void {
    if (err) return this.#log.error({ err }, 'the broker does not let us listen for answers');
    const token = msg.subject.slice(this.#prefix.length);
    const waiting = this.#waiting.get(token);
    if (!waiting) return; // a second answer to what was asked twice
    try {
      if (waiting.answer(msg)) return this.#forget(token);
      waiting.problem = isNoResponders(msg) ? 'nobody serves the subject' : msg.string().slice(0, 300);
      waiting.sendAgainAt = performance.now() + Math.min(sweepMs * 2 ** (waiting.sends - 1), silenceMs);
    } catch (err) {
      waiting.fail(err instanceof Error ? err : new Error(String(err)));
      this.#forget(token);
    }
  }

  #forget(token: string): void {
    this.#waiting.delete(token);
    if (this.#waiting.size > 0) return;
    for (const idle of this.#onIdle.splice(0)) idle();
  }

  readonly #sweep = (): void => {
    const now = performance.now();
    let unconfirmed = 0;
    let example: Waiting | undefined;
    for (const [token, waiting] of this.#waiting) {
      if (now >= waiting.giveUpAt || (now >= waiting.sendAgainAt && now >= waiting.repeatUntil)) {
        const { problem, sends } = waiting;
        waiting.fail(new QueueUnavailable(`the broker has not answered in time (sent ${sends} times; last: ${problem})`));
        this.#forget(token);
      } else if (now >= waiting.sendAgainAt && this.#connection) {
        this.#send(waiting);
        if (waiting.sends % 8 === 0) {
          unconfirmed++;
          example = waiting;
        }
      }
    }
    // Requests without an end must not wait in silence.
    if (example) this.#log.warn({ unconfirmed, subject: example.subject, problem: example.problem }, 'the broker does not confirm; trying again');
    this.#timer = this.#waiting.size > 0 ? setTimeout(this.#sweep, sweepMs) : undefined;
  };
}
