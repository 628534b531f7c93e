/** Who may start now: a few at a time, first come first served, so that twenty starting functions do not stall each other. */

export class StartSlots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(slots: number) {
    this.#free = slots;
  }

  /**
   * @param start - called once a slot is free, never before this returns, and not after it was given back
   * @returns gives the slot back, or the place in the queue up. Idempotent
   */
  take(start: () => void): () => void {
    let state: 'waiting' | 'holding' | 'done' = 'waiting';
    const enter = (): void => {
      this.#free--;
      state = 'holding';
      queueMicrotask(() => { if (state === 'holding') start(); });
    };
    if (this.#free > 0) enter();
    else this.#waiting.push(enter);
    return () => {
      if (state === 'waiting') this.#waiting.splice(this.#waiting.indexOf(enter), 1);
      const held = state === 'holding';
      state = 'done';
      if (!held) return;
      this.#free++;
      if (this.#free > 0) this.#waiting.shift()?.();
    };
  }
}
