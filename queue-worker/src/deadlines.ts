/** Many deadlines, one timer: a sweep every so often, instead of a timer a call. Deadlines are late by at most one sweep. */

export interface Deadline {
  /** Forgets it; after this it never expires. Idempotent. */
  cancel(): void;
}

export class Deadlines {
  readonly #pending = new Set<{ readonly dueMs: number; readonly expire: () => void }>();
  readonly #sweepMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(sweepMs = 250) {
    this.#sweepMs = sweepMs;
  }

  /** @param expire - called once, unless cancelled before; must not throw */
  in(delayMs: number, expire: () => void): Deadline {
    const entry = { dueMs: performance.now() + delayMs, expire };
    this.#pending.add(entry);
    this.#timer ??= setInterval(() => { this.#sweep(); }, this.#sweepMs).unref();
    return { cancel: () => { this.#pending.delete(entry); } };
  }

  #sweep(): void {
    const nowMs = performance.now();
    for (const entry of this.#pending) {
      if (entry.dueMs > nowMs) continue;
      this.#pending.delete(entry);
      entry.expire();
    }
    if (this.#pending.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
