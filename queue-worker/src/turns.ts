/**
 * Whose turn it is to run, among the calls of one lane that this worker holds. A call refused without having run (every
 * replica is full, or the gateway is away) tells that there is no room: from then on calls stand in line. For each that
 * ends one of them goes, and now and then some go on trial: one; twice as many each time while none is refused; one again,
 * and ever more seldom, while nothing else happens. So a refusal costs no attempt, and what the worker does not hold stays
 * in the queue.
 * One timer a lane, and only while calls stand in line. Not here: which answers are refusals (classify.ts).
 */

export interface TurnWaits {
  /** Before the first trial. */
  readonly minWaitMs: number;
  /** Between trials, at most. */
  readonly maxWaitMs: number;
}

// The watchdog's 429 asks for one second.
const systemWaits: TurnWaits = { minWaitMs: 1_000, maxWaitMs: 10_000 };

export class Turns {
  readonly #waits: TurnWaits;
  /** Who waits, each by what calls it, first come first. */
  readonly #line = new Set<() => void>();
  /** No room: whoever comes stands in line. */
  #full = false;
  /** Whether a call was refused since the last trial. */
  #refused = false;
  #onTrial = 1;
  #waitMs: number;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(waits = systemWaits) {
    this.#waits = waits;
    this.#waitMs = waits.minWaitMs;
  }

  /**
   * Resolves when the call may run, which must be followed by one `refused` or `ended`.
   * @returns false when the signal was aborted or the lane closed first: then neither
   */
  async take(signal: AbortSignal): Promise<boolean> {
    if (this.#full && !this.#closed && !signal.aborted) await this.#standInLine(signal);
    return !this.#closed && !signal.aborted;
  }

  /** The call has not run; it may `take` another turn. */
  refused(): void {
    this.#full = true;
    this.#refused = true;
  }

  /** The call has run, however it went. */
  ended(): void {
    this.#call(1);
    if (this.#waitMs === this.#waits.minWaitMs) return;
    this.#waitMs = this.#waits.minWaitMs;
    if (this.#timer) this.#startTimer();
  }

  /** Nobody waits any longer, and nobody is let through. */
  close(): void {
    this.#closed = true;
    this.#call(this.#line.size);
  }

  #standInLine(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        this.#line.delete(go);
        signal.removeEventListener('abort', go);
        if (this.#line.size === 0) this.#nobodyWaits();
        resolve();
      };
      this.#line.add(go);
      signal.addEventListener('abort', go);
      if (!this.#timer) this.#startTimer();
    });
  }

  #startTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => { this.#try(); }, this.#waitMs);
  }

  #try(): void {
    const { minWaitMs, maxWaitMs } = this.#waits;
    this.#onTrial = this.#refused ? 1 : this.#onTrial * 2;
    this.#waitMs = this.#refused ? Math.min(this.#waitMs * 2, maxWaitMs) : minWaitMs;
    this.#refused = false;
    this.#startTimer();
    this.#call(this.#onTrial);
  }

  #call(count: number): void {
    let left = count;
    for (const go of this.#line) {
      if (left-- === 0) break;
      go();
    }
  }

  #nobodyWaits(): void {
    this.#full = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
