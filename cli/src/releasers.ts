/** What was started is let go in reverse order, also when starting stopped half-way. */
export class Releasers {
  readonly #steps: { readonly part: string; readonly release: () => Promise<unknown> }[] = [];

  add(part: string, release: () => Promise<unknown>): void {
    this.#steps.push({ part, release });
  }

  /** Runs every step, whatever the others do. */
  async release(complain: (part: string, error: unknown) => void): Promise<void> {
    for (const { part, release } of this.#steps.splice(0).reverse()) {
      try {
        await release();
      } catch (error) {
        complain(part, error);
      }
    }
  }
}
