/**
 * The invocation: what a call is, and where it waits. Types only, the same for every driver.
 * Not here: how a call is written down (call-codec.ts), what becomes of it (outcome.ts).
 */

/** A header list as it came over the wire: order, letter case and repetitions kept. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** Where a call waits: one function's calls within one queue. No lane can hold up another. */
export interface Lane {
  /** `default`, or the function's annotation `com.openfaas.queue`: `a-z 0-9 - _`. */
  readonly queue: string;
  readonly namespace: string;
  readonly function: string;
}

/** One accepted request, as it is queued. */
export interface Call {
  /** `X-Call-Id`: a UUID. Unique unless a caller repeats an id of its own. */
  readonly id: string;
  readonly lane: Lane;
  readonly method: string;
  /** What followed the function's name, to the byte as it was sent: empty, or beginning with `/`. */
  readonly path: string;
  /** Without the `?`; to the byte as it was sent. */
  readonly query: string;
  /** The caller's end-to-end headers and the gateway's `X-Forwarded-*`, without what the fields here say. */
  readonly headers: HeaderList;
  /** The request body, byte for byte. */
  readonly body: Uint8Array;
  /** `X-Start-Time`: nanoseconds since the epoch as decimal digits, because they exceed 2^53. */
  readonly acceptedNs: string;
  /** `X-Callback-Url`, checked at accept. */
  readonly callbackUrl?: string;
}

/** The result of a call on its way to `X-Callback-Url`; waits in a lane of its own, apart from every function. */
export interface Callback {
  readonly callId: string;
  readonly url: string;
  readonly headers: HeaderList;
  readonly body: Uint8Array;
}

/** What a queue may be called; anything else would not fit a NATS subject. */
export const queueName = /^[a-z0-9_-]+$/;

/** Where a deployed function's calls wait. An annotation that names no queue counts as none. */
export function laneOf(fn: { readonly name: string; readonly namespace: string; readonly annotations: Readonly<Record<string, string>> }): Lane {
  const queue = fn.annotations['com.openfaas.queue'];
  return { queue: queue !== undefined && queueName.test(queue) ? queue : 'default', namespace: fn.namespace, function: fn.name };
}

/** A lane as one word: for maps, logs and as the end of a NATS subject. */
export function laneKey(lane: Lane): string {
  return `${lane.queue}.${lane.namespace}.${lane.function}`;
}

/** Each name is one token of a NATS subject, so that no lane reaches another's calls. */
const laneKeyForm = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * As {@link laneKey}, for what is about to be stored or listened to.
 * @throws {RangeError} this cannot be a lane: a defect above, because names are checked where they come in
 */
export function checkedLaneKey(lane: Lane): string {
  const key = laneKey(lane);
  if (!laneKeyForm.test(key)) throw new RangeError(`no lane has the key ${JSON.stringify(key)}`);
  return key;
}

/** @returns `undefined` when the text is no lane's key */
export function parseLaneKey(key: string): Lane | undefined {
  if (!laneKeyForm.test(key)) return undefined;
  const [queue = '', namespace = '', name = ''] = key.split('.');
  return { queue, namespace, function: name };
}
