/** How a call to a function or to a callback's receiver fails without an answer: one class and one stable code each. */

export abstract class ExchangeError extends Error {
  abstract readonly code: 'timeout' | 'answer_too_large' | 'unreachable' | 'address_refused' | 'bad_call';
}

/** No whole answer in time. The message names the limit. */
export class TimedOut extends ExchangeError {
  override readonly name = 'TimedOut';
  readonly code = 'timeout';
}

/** The answer is longer than `max_body_bytes`; it was cut off and thrown away. */
export class AnswerTooLarge extends ExchangeError {
  override readonly name = 'AnswerTooLarge';
  readonly code = 'answer_too_large';

  constructor(maxBodyBytes: number) {
    super(`The function's answer is longer than max_body_bytes (${maxBodyBytes}).`);
  }
}

/** Refused, reset or cut before the answer was whole; the cause says which. */
export class Unreachable extends ExchangeError {
  override readonly name = 'Unreachable';
  readonly code = 'unreachable';
  /** False when there was no connection to send the request over: nobody has seen it. */
  readonly sent: boolean;

  constructor(message: string, sent: boolean, options?: ErrorOptions) {
    super(message, options);
    this.sent = sent;
  }
}

/** The receiver's host has no address that callbacks may go to. */
export class AddressRefused extends ExchangeError {
  override readonly name = 'AddressRefused';
  readonly code = 'address_refused';
}

/** A header, path or method that HTTP does not allow; only a publisher other than the gateway can have let it in. */
export class BadCall extends ExchangeError {
  override readonly name = 'BadCall';
  readonly code = 'bad_call';
}
