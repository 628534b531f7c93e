/**
 * How many calls of one function run at a time: at most what is configured, and no more than it lately had room for.
 * A function that answers 429 is full: what else was running then is the room it has. After a run of answers without a
 * refusal the limit probes upwards, first by one, then by twice as much each time. So work waits in the queue, where
 * waiting costs nothing, instead of going round in retries. Pure.
 */
const fewestAnswers = 8;

export class AdaptiveLimit {
  #ceiling: number;
  #current: number;
  #step = 1;
  #answers = 0;

  constructor(ceiling: number) {
    this.#ceiling = ceiling;
    this.#current = ceiling;
  }

  /** At least 1. */
  get current(): number {
    return this.#current;
  }

  /** What is configured has changed; what was learned below the old ceiling stays. */
  setCeiling(ceiling: number): void {
    this.#current = this.#current === this.#ceiling ? ceiling : Math.min(this.#current, ceiling);
    this.#ceiling = ceiling;
  }

  /** @param others - attempts running beside the one that was refused */
  refused(others: number): void {
    this.#current = Math.max(1, Math.min(this.#current, others));
    this.#step = 1;
    this.#answers = 0;
  }

  answered(): void {
    if (this.#current === this.#ceiling || ++this.#answers < Math.max(fewestAnswers, this.#current)) return;
    this.#current = Math.min(this.#current + this.#step, this.#ceiling);
    this.#step *= 2;
    this.#answers = 0;
  }
}
