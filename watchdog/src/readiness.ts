/** A runner's readiness and the one who is told of it. */
import type { Readiness } from './runner.js';

/** Starts as "starting". */
export class ReadinessState {
  #current: Readiness = { ready: false, reason: 'the function is starting' };
  #listener: (readiness: Readiness) => void = () => undefined;

  become(next: Readiness): void {
    this.#current = next;
    this.#listener(next);
  }

  /** Tells at once, and of each change; a second listener replaces the first. */
  readonly onChange = (listener: (readiness: Readiness) => void): void => {
    this.#listener = listener;
    listener(this.#current);
  };
}
