/**
 * streaming and serializing mode: a process for each call, the body on its standard input, the answer from its standard output.
 * Success is exit status 0 and nothing else. Streaming passes the output on as it comes, so the first byte fixes the status 200;
 * a failure after it breaks the connection, and never looks like a whole answer. Serializing waits for the end.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { once } from 'node:events';
import { maxBufferedBytes } from '../body.js';
import type { OrphanGuard } from '../guard.js';
import { datedPrefix, forwardLines } from '../lines.js';
import type { Log } from '../log.js';
import { answerError, answerStopped } from '../own-answer.js';
import { describeEnding, findProgram, ProcessGroup } from '../process-group.js';
import { ReadinessState } from '../readiness.js';
import type { Invocation, Readiness, Runner, StopReason } from '../runner.js';
import type { Settings } from '../settings.js';
import { cgiEnvironment } from './cgi-environment.js';

/** Between SIGTERM and SIGKILL of a call that is stopped. */
const graceMs = 2_000;

type ForkSettings = Pick<Settings, 'mode' | 'command' | 'environment' | 'contentType' | 'prefixLogs' | 'maxLogLineBytes'>;

/** A runner of the modes that fork. */
export class ForkRunner implements Runner {
  readonly #readiness = new ReadinessState();
  readonly #running = new Set<ProcessGroup>();

  constructor(readonly settings: ForkSettings, readonly guard: OrphanGuard, readonly log: Log) {}

  async start(): Promise<void> {
    const [program = ''] = this.settings.command;
    if (findProgram(program, this.settings.environment) === undefined) throw new Error(`${program}: no such program`);
    this.#readiness.become({ ready: true });
  }

  onReadiness(listener: (readiness: Readiness) => void): void {
    this.#readiness.onChange(listener);
  }

  async stop(): Promise<void> {
    await Promise.all(Array.from(this.#running, (group) => group.end(graceMs)));
  }

  async handle(request: IncomingMessage, response: ServerResponse, invocation: Invocation): Promise<void> {
    const group = this.#start(request);
    this.#running.add(group);
    let stopped: StopReason | undefined;
    invocation.onAbort((reason) => {
      stopped = reason;
      answerStopped(response, reason);
      group.stdout?.destroy(); // what it still says is for nobody
      void group.end(graceMs);
    });
    feed(request, group.stdin);
    const output = new Output(response, this.settings.contentType, this.settings.mode === 'serializing');
    await output.take(group.stdout);
    if (output.tooLarge) void group.end(graceMs);
    const ending = await group.ended;
    this.#running.delete(group);
    if (stopped !== undefined) return;
    if (ending.kind === 'exit' && ending.status === 0 && !output.tooLarge) {
      output.end();
      return;
    }
    if (ending.kind === 'not started' && ending.code === 'E2BIG') {
      answerError(response, 431, 'headers_too_large', 'the headers are too large for the environment of a process (E2BIG)');
      return;
    }
    const failure = output.tooLarge ? `its output is larger than ${maxBufferedBytes} bytes` : describeEnding(ending);
    this.log.error(`the function failed: ${failure}`, invocation.callId);
    answerError(response, 500, 'function_failed', `the function failed: ${failure}`);
  }

  #start(request: IncomingMessage): ProcessGroup {
    const { command, environment, prefixLogs, maxLogLineBytes } = this.settings;
    const group = ProcessGroup.start(command, {
      environment: { ...environment, ...cgiEnvironment(request) },
      stdio: ['pipe', 'pipe', prefixLogs ? 'pipe' : 'inherit'],
      guard: this.guard,
    });
    if (group.stderr !== null) {
      void forwardLines(group.stderr, this.log.err, { prefix: () => datedPrefix('stderr'), maxLineBytes: maxLogLineBytes });
    }
    return group;
  }
}

/** The body to the process's standard input. A process need not read it: then the rest is dropped. */
function feed(request: IncomingMessage, stdin: Writable | null): void {
  if (stdin === null) return;
  stdin.on('error', () => request.resume());
  request.pipe(stdin);
}

/** The process's standard output on its way into the response. */
class Output {
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;

  constructor(readonly response: ServerResponse, readonly contentType: string, readonly whole: boolean) {}

  /** More came than may be kept: the rest was not taken. */
  get tooLarge(): boolean {
    return this.#keptBytes > maxBufferedBytes;
  }

  /** Resolves when all is taken, or nobody wants it any more. */
  async take(stdout: Readable | null): Promise<void> {
    if (stdout === null) return;
    try {
      for await (const chunk of stdout as AsyncIterable<Buffer>) { // no encoding is set
        if (this.whole) this.#keep(chunk);
        else await this.#pass(chunk);
        if (this.tooLarge) return;
      }
    } catch {
      // Destroyed because the call was stopped: its answer is given already.
    }
  }

  /** The run was a success. */
  end(): void {
    if (this.response.headersSent) {
      this.response.end();
      return;
    }
    const body = Buffer.concat(this.#kept);
    this.response.writeHead(200, { 'Content-Type': this.contentType, 'Content-Length': body.length });
    this.response.end(body);
  }

  #keep(chunk: Buffer): void {
    this.#kept.push(chunk);
    this.#keptBytes += chunk.length;
  }

  async #pass(chunk: Buffer): Promise<void> {
    const { response } = this;
    if (response.destroyed) return;
    if (!response.headersSent) response.writeHead(200, { 'Content-Type': this.contentType });
    if (!response.write(chunk)) await Promise.race([once(response, 'drain'), once(response, 'close')]);
  }
}
