/**
 * For tests: the real program, started as its supervisor would.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ParentMessage } from '../../parent-channel.js';
import { handlerFolder, type Files } from './serve-handler.js';

export const program = fileURLToPath(new URL('../../main.js', import.meta.url));

export interface Watchdog {
  readonly process: ChildProcess;
  readonly url: string;
  /** What it has written so far. */
  readonly output: { out: string; err: string };
  /** What it has told its parent so far: `ready`, `unready`, or `final` for the unready that is the last. */
  readonly told: string[];
  /** Its exit code or the signal that ended it, once its output is read to the end. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

export interface Environment {
  readonly lang: string;
  readonly [name: string]: string;
}

/** Starts the watchdog; a process that does not end by itself is killed with the test. */
export async function spawnWatchdog(t: TestContext, files: Files, env: Environment): Promise<Omit<Watchdog, 'url'>> {
  const handler = await handlerFolder(t, files);
  const child = fork(program, {
    env: { handler, port: '0', metrics_port: '0', ...env }, silent: true, execArgv: [],
  });
  t.after(() => child.kill('SIGKILL'));
  const output = { out: '', err: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => { output.out += text; });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => { output.err += text; });
  const told: string[] = [];
  child.on('message', (message: ParentMessage) => told.push(message.type === 'unready' && message.final === true ? 'final' : message.type));
  const ended = once(child, 'close').then(([code, signal]: (number | NodeJS.Signals | null)[]) => signal ?? code ?? null);
  return { process: child, output, told, ended };
}

/** As `spawnWatchdog`, once it is ready. */
export async function startWatchdog(t: TestContext, files: Files, env: Environment): Promise<Watchdog> {
  const watchdog = await spawnWatchdog(t, files, env);
  const message = await Promise.race([
    once(watchdog.process, 'message').then(([first]: { type: string; url: string }[]) => first),
    watchdog.ended.then((ending) => { throw new Error(`ended with ${ending}: ${watchdog.output.err}`); }),
  ]);
  if (message?.type !== 'ready') throw new Error(`told ${message?.type} first`);
  return { ...watchdog, url: message.url };
}

export const withCallId = (id: string) => ({ headers: { 'x-call-id': id } });

/** A call whose first bytes have come; the handler waits. */
export async function openCall(url: string, callId: string): Promise<{ response: IncomingMessage; rest: Promise<string> }> {
  const [response] = await once(request(url, { ...withCallId(callId), agent: false }).end(), 'response') as [IncomingMessage];
  const rest = (async () => {
    let text = '';
    for await (const chunk of response) text += String(chunk);
    return text;
  })();
  return { response, rest };
}
