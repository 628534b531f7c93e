/**
 * Errors nobody caught. The call they belong to gets its 500 at once; then the process, whose state can no longer be
 * trusted, takes nothing new, lets the other calls finish, and ends so that its supervisor starts a fresh one.
 */
import { answerError } from '../own-answer.js';
import { ignoreFrom, logFailure } from './answer.js';
import type { RunningCalls } from './calls.js';

export interface CrashWatch {
  /** Forgets about uncaught errors: they end the process at once, as without this. */
  stop(): void;
}

export interface CrashOptions {
  /** How long the other calls may take, in milliseconds; 0: as long as they need. */
  readonly limitMs: number;
  /** Told once, before the wait for the other calls. */
  readonly onFirst: () => void;
  /** Called once those have finished or `limitMs` have passed. */
  readonly end: () => void;
}

/** @param calls knows which call the executing code belongs to */
export function watchForCrashes(calls: RunningCalls, { limitMs, onFirst, end }: CrashOptions): CrashWatch {
  let crashed = false;
  const onUncaught = (error: unknown) => {
    const call = calls.ownerOf(error);
    if (call !== undefined && isLateAnswer(error) && call.response.headersSent) {
      // Only this call's own second answer failed; nothing else is in doubt.
      logFailure('the handler answered twice', call.id, error);
      return;
    }
    logFailure('uncaught error, the process will be replaced', call?.id ?? '', error);
    if (call !== undefined) {
      answerError(call.response, 500, 'function_failed', 'the function failed with an error it did not catch; its log says which');
      ignoreFrom(call.response);
    }
    if (crashed) return;
    crashed = true;
    onFirst();
    const waits = [calls.idle()];
    if (limitMs > 0) waits.push(new Promise((resolve) => setTimeout(resolve, limitMs)));
    void Promise.race(waits).then(end);
  };
  process.on('uncaughtException', onUncaught);
  process.on('unhandledRejection', onUncaught);
  return {
    stop() {
      process.off('uncaughtException', onUncaught);
      process.off('unhandledRejection', onUncaught);
    },
  };
}

/** Is the error Node's answer to a response that was written to after it was sent? */
function isLateAnswer(error: unknown): boolean {
  return error instanceof Error && 'code' in error
    && (error.code === 'ERR_HTTP_HEADERS_SENT' || error.code === 'ERR_STREAM_WRITE_AFTER_END');
}
