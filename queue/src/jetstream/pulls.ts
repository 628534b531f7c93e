/**
 * How many deliveries are still to come of what was asked for. The broker serves the pulls that wait in turn, and a
 * delivery does not say whose it is; so they are counted together, and each pull bounds the count from above while it
 * can still bring something. The count may err low after a fault (the caller keeps what it has no room for) but never
 * stays high: nothing that is lost is waited for beyond its pull's expiry.
 */
export interface Pull {
  readonly id: string;
  readonly batch: number;
}

/** The broker ends a pull itself; by then, had it answered, its answer would be here. */
const answerMs = 2_000;

export class Pulls {
  readonly #open = new Map<string, { readonly batch: number; readonly endsAt: number }>();
  readonly #expiresMs: number;
  #requested = 0;
  #lastId = 0;

  constructor(expiresMs: number) {
    this.#expiresMs = expiresMs;
  }

  get requested(): number {
    return this.#requested;
  }

  open(batch: number, now: number): Pull {
    const id = (++this.#lastId).toString(36);
    this.#open.set(id, { batch, endsAt: now + this.#expiresMs + answerMs });
    this.#requested += batch;
    return { id, batch };
  }

  delivered(): void {
    this.#requested = Math.max(0, this.#requested - 1);
    if (this.#requested === 0) this.#open.clear();
  }

  /** @param left - what the broker says the pull will not bring; unknown: all of it */
  ended(id: string, left?: number): void {
    const pull = this.#open.get(id);
    if (!pull) return;
    this.#open.delete(id);
    this.#requested = Math.max(0, this.#requested - (left ?? pull.batch));
    this.#bound();
  }

  /** Forgets pulls that have ended without a word. */
  expire(now: number): void {
    for (const [id, { endsAt }] of this.#open) if (now >= endsAt) this.#open.delete(id);
    this.#bound();
  }

  reset(): void {
    this.#open.clear();
    this.#requested = 0;
  }

  #bound(): void {
    let most = 0;
    for (const { batch } of this.#open.values()) most += batch;
    this.#requested = Math.min(this.#requested, most);
  }
}
