/** The watchdog's public surface: what its parent hears of it, and the types for authors of handlers. */
export type { ParentMessage } from './parent-channel.js';
export type * from './inproc/handler-types.js';
