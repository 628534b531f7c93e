/**
 * The orphan guard: a /bin/sh that outlives the watchdog by an instant. It is told of every process group the watchdog starts,
 * and once its standard input ends, however the watchdog died, it kills those that are still listed.
 * It stands in a session of its own, so that a signal to the watchdog's group does not reach it.
 */
import { spawn, type ChildProcess } from 'node:child_process';

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

/** Lists process groups with the guard. The guard starts with the first group. */
export class OrphanGuard {
  readonly #groups = new Set<number>();
  #shell: ChildProcess | undefined;
  #closed = false;

  /** Of the shell; `undefined` while there is none. */
  get pid(): number | undefined {
    return this.#shell?.pid;
  }

  /** From now on the group does not outlive the watchdog. */
  add(group: number): void {
    this.#groups.add(group);
    if (this.#shell === undefined) this.#start();
    else this.#shell.stdin?.write(`+${group}\n`);
  }

  /** The group has ended: its number may be another's soon. */
  remove(group: number): void {
    if (this.#groups.delete(group)) this.#shell?.stdin?.write(`-${group}\n`);
  }

  /** Ends the guard and what is still listed. */
  close(): void {
    this.#closed = true;
    this.#shell?.stdin?.end();
  }

  #start(): void {
    const shell = spawn('/bin/sh', ['-c', script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'], env: {} });
    this.#shell = shell;
    // A guard that somebody killed is replaced; a write to the dying one may fail before that.
    shell.stdin.on('error', () => undefined);
    shell.on('error', () => undefined);
    shell.on('exit', () => {
      this.#shell = undefined;
      if (!this.#closed && this.#groups.size > 0) this.#start();
    });
    shell.unref();
    for (const group of this.#groups) shell.stdin.write(`+${group}\n`);
  }
}
