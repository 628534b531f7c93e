/** One thing at a time for each key, in the order it was asked for; different keys do not wait for each other. */

export class Turns {
  /** What still goes on for a key; the next thing waits for it. */
  readonly #last = new Map<string, Promise<void>>();

  /** @returns what `act` does, or throws; the next turn comes either way */
  async take(key: string, act: () => Promise<void>): Promise<void> {
    const before = this.#last.get(key);
    const done = (async () => {
      await before;
      await act();
    })();
    const turn = done.catch(() => undefined);
    this.#last.set(key, turn);
    try {
      await done;
    } finally {
      if (this.#last.get(key) === turn) this.#last.delete(key);
    }
  }

  /** Resolves once everything that was asked for so far is over. */
  async idle(): Promise<void> {
    await Promise.all(this.#last.values());
  }
}
