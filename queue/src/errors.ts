/** What the queue refuses, one class and one stable code each; the gateway turns codes into statuses in one place. */

export abstract class QueueError extends Error {
  abstract readonly code: 'queue_full' | 'queue_unavailable' | 'body_too_large';
}

/** The store or stream has reached its limit; nothing was stored. */
export class QueueFull extends QueueError {
  override readonly name = 'QueueFull';
  readonly code = 'queue_full';
}

/** No broker, no space or no answer in time. The call may still be stored when an answer was awaited. */
export class QueueUnavailable extends QueueError {
  override readonly name = 'QueueUnavailable';
  readonly code = 'queue_unavailable';
}

/** Headers and body together exceed what the driver stores in one piece. */
export class BodyTooLarge extends QueueError {
  override readonly name = 'BodyTooLarge';
  readonly code = 'body_too_large';
}

/** The queue cannot be opened as configured: another owner, a wrong stream, an old broker. One line, fit to be last words. */
export class QueueMisconfigured extends Error {
  override readonly name = 'QueueMisconfigured';
  readonly code = 'queue_misconfigured';
}
