/**
 * JetStream's administration by JSON over its `$JS.API` subjects. A question nobody answers yet (the broker is starting,
 * or choosing a leader) is repeated for some seconds.
 */
import type { Msg } from 'nats';
import { isNoResponders } from './message.js';
import type { Replies } from './replies.js';

/** JetStream said no, and will say so again. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(readonly errCode: number, description: string) {
    super(description);
  }
}

export const errCodes = { streamNotFound: 10_059, consumerNotFound: 10_014, messageNotFound: 10_037, messageDeleteFailed: 10_057 } as const;

const timeoutMs = 5_000;

/** Answers as their types tell are JetStream's to keep; only its errors are looked at. */
export class Api {
  readonly #replies: Replies;
  readonly #streamMissing: () => void;

  /** @param streamMissing - called when an answer says so */
  constructor(replies: Replies, streamMissing: () => void) {
    this.#replies = replies;
    this.#streamMissing = streamMissing;
  }

  /**
   * @throws {ApiError} JetStream's own
   * @throws {QueueUnavailable} no answer
   */
  async ask<Answer>(endpoint: string, question: object = {}): Promise<Answer> {
    const text = await this.askText(endpoint, JSON.stringify(question));
    // JetStream's API is typed by its documentation, and versioned.
    return JSON.parse(text) as Answer;
  }

  /** As {@link ask}, in JSON as it goes over the wire: numbers in it may exceed 2^53. */
  async askText(endpoint: string, question: string): Promise<string> {
    try {
      return await this.#replies.request({ subject: `$JS.API.${endpoint}`, payload: question, timeoutMs, read: readAnswer });
    } catch (err) {
      if (err instanceof ApiError && err.errCode === errCodes.streamNotFound) this.#streamMissing();
      throw err;
    }
  }
}

function readAnswer(msg: Msg): string | undefined {
  if (isNoResponders(msg)) return undefined;
  const text = msg.string();
  const error = readError(text);
  if (!error) return text;
  if (error.code === 503) return undefined;
  throw new ApiError(error.err_code ?? 0, error.description ?? `code ${error.code}`);
}

export interface JetStreamError {
  readonly code: number;
  readonly err_code?: number;
  readonly description?: string;
}

/** The error in an answer's JSON, if it holds one. */
export function readError(text: string): JetStreamError | undefined {
  if (!text.includes('"error"')) return undefined;
  // As above; a field of another meaning by that name is no error.
  const { error } = JSON.parse(text) as { error?: JetStreamError };
  return typeof error?.code === 'number' ? error : undefined;
}
