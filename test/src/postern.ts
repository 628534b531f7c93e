/** Postern's own programs, started as a user starts them and ended by pid. For tests and the demo. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const command = fileURLToPath(new URL('../../cli/bin/postern.js', import.meta.url));

export interface PosternOptions {
  /** `up`, `gateway`, `queue-worker` or `provider`. */
  readonly program?: string;
  /** On top of this process's own environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export class PosternProcess {
  readonly #child: ChildProcess;
  #output = '';
  readonly #watchers = new Set<() => void>();
  /** The exit code; `null` after a signal. */
  readonly exited: Promise<number | null>;
  #over = false;

  constructor({ program = 'up', env, cwd }: PosternOptions) {
    // In a group of its own: a Ctrl-C for the test does not reach it past the test.
    this.#child = spawn(process.execPath, [command, program], {
      cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, HOST: '127.0.0.1', NO_COLOR: '1', ...env },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
        for (const watcher of this.#watchers) watcher();
      });
    }
    this.exited = new Promise((resolve) => {
      this.#child.once('close', (code) => {
        this.#over = true;
        for (const watcher of this.#watchers) watcher();
        resolve(code);
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** All that was printed so far, both streams. */
  get output(): string {
    return this.#output;
  }

  /** Waits until the output holds the pattern. @throws when the program ends, or the deadline passes, without it */
  async printed(pattern: RegExp, deadlineMs = 30_000): Promise<RegExpExecArray> {
    return await new Promise((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(this.#output);
        if (match) settle(() => { resolve(match); });
        else if (this.#over) settle(() => { reject(new Error(`ended without ${pattern}:\n${this.#output}`)); });
      };
      const settle = (end: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        end();
      };
      const timer = setTimeout(() => { settle(() => { reject(new Error(`no ${pattern} within ${deadlineMs} ms:\n${this.#output}`)); }); }, deadlineMs);
      this.#watchers.add(look);
      look();
    });
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#over) this.#child.kill(signal);
  }

  /** Drains; after 20 s no longer asks. @returns the exit code */
  async stop(): Promise<number | null> {
    this.signal('SIGTERM');
    const reluctant = setTimeout(() => { this.signal('SIGKILL'); }, 20_000);
    const code = await this.exited;
    clearTimeout(reluctant);
    return code;
  }

  async kill9(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited;
  }
}

/** `postern up` on a free port. Resolves when the functions named are ready. */
export async function startUp(options: PosternOptions, ...functions: readonly string[]): Promise<{ readonly postern: PosternProcess; readonly url: string }> {
  const postern = new PosternProcess({ ...options, env: { PORT: '0', ...options.env } });
  try {
    const url = (await postern.printed(/^Postern \S+ at (http:\S+),/m))[1] ?? '';
    for (const name of functions) await postern.printed(new RegExp(`^  ready +${name} `, 'm'));
    return { postern, url };
  } catch (error) {
    await postern.kill9();
    throw error;
  }
}

export const repositoryRoot = join(command, '../../..');
