export { laneKey, parseLaneKey } from './call.js';
export type { Call, Callback, HeaderList, Lane } from './call.js';
export { BadCallbackUrl, checkCallbackUrl, isAllowedAddress, parseCallbackAllow } from './callback-target.js';
export type { CallbackAllow } from './callback-target.js';
export { BodyTooLarge, QueueError, QueueFull, QueueMisconfigured, QueueUnavailable } from './errors.js';
export type { Cause, Outcome } from './outcome.js';
export type { Consumer, ConsumeOptions, DeadLetter, Delivery, LaneStats, Queue, QueueStats, Receipt } from './queue.js';
export { openEmbeddedQueue } from './embedded/open.js';
export type { EmbeddedQueueOptions } from './embedded/open.js';
