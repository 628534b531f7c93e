/**
 * Errors nobody caught, and `process.exit` in a handler. The call they belong to gets its 500 at once; then the process, whose
 * state can no longer be trusted, takes nothing new, lets the other calls finish, and ends so that its supervisor starts a fresh one.
 */
import { answerError } from '../own-answer.js';
import { HandlerExit, ignoreFrom, logFailure } from './answer.js';
import type { Call, RunningCalls } from './calls.js';

export interface CrashWatch {
  /** Forgets about uncaught errors and `process.exit`: they end the process at once, as without this. */
  stop(): void;
}

export interface CrashOptions {
  /** How long the other calls may take, in milliseconds. */
  readonly limitMs: number;
  /** Told once, before the wait for the other calls. @param reason - in one line */
  readonly onFirst: (reason: string) => void;
  /** Called once those have finished or `limitMs` have passed, with the code to exit with. */
  readonly end: (code: number) => void;
}

/** @param calls knows which call the executing code belongs to */
export function watchForCrashes(calls: RunningCalls, { limitMs, onFirst, end }: CrashOptions): CrashWatch {
  let crashed = false;
  const crash = (call: Call | undefined, reason: string, code: number): void => {
    if (call !== undefined) {
      answerError(call.response, 500, 'function_failed', `${reason}; its log says more`);
      ignoreFrom(call.response);
    }
    if (crashed) return;
    crashed = true;
    onFirst(reason);
    const limit = new Promise((resolve) => setTimeout(resolve, limitMs));
    void Promise.race([calls.idle(), limit]).then(() => end(code));
  };
  const onUncaught = (error: unknown) => {
    if (error instanceof HandlerExit) return;
    const call = calls.ownerOf(error);
    if (call !== undefined && isLateAnswer(error) && call.response.headersSent) {
      // Only this call's own second answer failed; nothing else is in doubt.
      logFailure('the handler answered twice', call.id, error);
      return;
    }
    logFailure('uncaught error, the process will be replaced', call?.id ?? '', error);
    crash(call, 'the function failed with an error it did not catch', 1);
  };
  const onExit = (code: number | string | null = process.exitCode ?? 0): never => {
    const call = calls.current;
    const exit = new HandlerExit(`the handler called process.exit(${code ?? ''})`);
    if (!crashed) logFailure('the process will be replaced', call?.id ?? '', exit);
    crash(call, 'the function ended its process', Number.isInteger(Number(code)) ? Number(code) : 1);
    throw exit;
  };
  const exitBefore = process.exit;
  process.exit = onExit;
  process.on('uncaughtException', onUncaught);
  process.on('unhandledRejection', onUncaught);
  return {
    stop() {
      process.exit = exitBefore;
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
