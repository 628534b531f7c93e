/**
 * One process of the function and all it starts: a process group of its own, listed with the orphan guard.
 * The group's life is its first process's: when that ends, what it left behind is killed.
 */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { OrphanGuard } from './guard.js';

/** How a process ended. */
export type Ending =
  | { readonly kind: 'exit'; readonly status: number }
  | { readonly kind: 'signal'; readonly signal: string }
  /** `code`: the system's, such as ENOENT; '' when it gave none. */
  | { readonly kind: 'not started'; readonly reason: string; readonly code: string };

/** In a few words, as of-watchdog says it: `exit status 1`. */
export function describeEnding(ending: Ending): string {
  switch (ending.kind) {
    case 'exit': return `exit status ${ending.status}`;
    case 'signal': return `signal: ${ending.signal}`;
    case 'not started': return ending.reason;
  }
}

/** What {@link ProcessGroup.start} needs beside the command. */
export interface StartOptions {
  readonly environment: NodeJS.ProcessEnv;
  readonly stdio: StdioOptions;
  readonly guard: OrphanGuard;
}

/** A started process group. */
export class ProcessGroup {
  /** Once the first process has ended and the group is killed. Never rejects: a program that cannot be started is an ending too. */
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess | undefined;
  readonly #guard: OrphanGuard;

  private constructor(command: readonly string[], { environment, stdio, guard }: StartOptions) {
    this.#guard = guard;
    const [program = '', ...args] = command;
    try {
      const child = spawn(program, args, { detached: true, env: environment, stdio });
      this.#child = child;
      if (child.pid !== undefined) guard.add(child.pid);
      this.ended = new Promise((settle) => {
        child.on('error', (error) => {
          if (child.pid === undefined) settle(notStarted(error));
        });
        child.on('exit', (status, signal) => {
          this.#killRest();
          settle(signal === null ? { kind: 'exit', status: status ?? 0 } : { kind: 'signal', signal });
        });
      });
    } catch (error) { // An argument list that is too long is thrown, a missing program is emitted.
      this.ended = Promise.resolve(notStarted(error));
    }
  }

  /** @param command - the program and its arguments */
  static start(command: readonly string[], options: StartOptions): ProcessGroup {
    return new ProcessGroup(command, options);
  }

  /** Null unless piped. */
  get stdin(): Writable | null {
    return this.#child?.stdin ?? null;
  }

  /** Null unless piped. */
  get stdout(): Readable | null {
    return this.#child?.stdout ?? null;
  }

  /** Null unless piped. */
  get stderr(): Readable | null {
    return this.#child?.stderr ?? null;
  }

  /** SIGTERM to the whole group, SIGKILL after `graceMs`. Resolves when it has ended. */
  async end(graceMs: number): Promise<void> {
    this.#signal('SIGTERM');
    const kill = setTimeout(() => this.#signal('SIGKILL'), graceMs);
    await this.ended;
    clearTimeout(kill);
  }

  #killRest(): void {
    this.#signal('SIGKILL');
    if (this.#child?.pid !== undefined) this.#guard.remove(this.#child.pid);
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child?.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // ESRCH: nothing of the group is left.
    }
  }
}

function notStarted(error: unknown): Ending {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return { kind: 'not started', reason: error instanceof Error ? error.message : String(error), code };
}

/** Where a program is, as a shell would look for it; `undefined` when it is nowhere or not executable. */
export function findProgram(program: string, environment: NodeJS.ProcessEnv): string | undefined {
  const candidates = program.includes('/')
    ? [resolve(program)]
    : (environment['PATH'] ?? '/usr/local/bin:/usr/bin:/bin').split(delimiter).map((folder) => join(folder, program));
  return candidates.find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
