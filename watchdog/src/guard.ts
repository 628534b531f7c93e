/**
 * The orphan guard: a /bin/sh that outlives the watchdog by an instant. It is told of every process group the watchdog starts,
 * and once its standard input ends, however the watchdog died, it kills those that are still listed.
 * It stands in a session of its own, so that a signal to the watchdog's group does not reach it.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Writable } from 'node:stream';

const script = `
trap '' HUP INT QUIT TERM
groups=' '
while read -r line; do
  group=\${line#?}
  case $line in
    +*) groups="$groups$group " ;;
    -*) case $groups in *" $group "*) groups="\${groups%%" $group "*} \${groups#*" $group "}" ;; esac ;;
  esac
done
for group in $groups; do kill -9 -"$group"; done 2>/dev/null
`;

/** Lists process groups with the guard, which stands from the start: a group is spared no time without it. */
export class OrphanGuard {
  readonly #groups = new Set<number>();
  #shell = this.#start();
  #closed = false;

  /** Of the shell; `undefined` when it could not be started. */
  get pid(): number | undefined {
    return this.#shell.pid;
  }

  /** From now on the group does not outlive the watchdog. A number that is no group's is no harm. */
  add(group: number): void {
    this.#groups.add(group);
    this.#shell.stdin.write(`+${group}\n`);
  }

  /** The group has ended: its number may be another's soon. */
  remove(group: number): void {
    if (this.#groups.delete(group)) this.#shell.stdin.write(`-${group}\n`);
  }

  /** Ends the guard and what is still listed. */
  close(): void {
    this.#closed = true;
    this.#shell.stdin.end();
  }

  #start(): ChildProcessByStdio<Writable, null, null> {
    const shell = spawn('/bin/sh', ['-c', script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'], env: {} });
    // A guard that somebody killed is replaced; a write to the dying one may fail before that.
    shell.stdin.on('error', () => undefined);
    shell.on('error', () => undefined);
    shell.on('exit', () => {
      if (!this.#closed) this.#shell = this.#start();
    });
    shell.unref();
    for (const group of this.#groups) shell.stdin.write(`+${group}\n`);
    return shell;
  }
}
