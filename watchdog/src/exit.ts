/**
 * The process's own exit, taken before a handler is loaded: while one is served, `process.exit` is the handler's and ends
 * nothing at once (inproc/crash.ts).
 */
export const exitNow: (code: number) => never = process.exit.bind(process);
