/**
 * Which of a lane's calls come next: those whose retry is due, and those never delivered, by a cursor over the store; half
 * and half while there are both, so that a function that fails holds up no fresh call, nor fresh ones the others.
 * Nothing is kept per waiting call. What is `held` (taken and not settled on disk yet) is passed over, because what the
 * store says of it is about to change; everything else is as the store says.
 */
import type { LaneState } from './lanes.js';
import { callKey } from './layout.js';
import type { Taken } from './settle.js';
import type { Store } from './store.js';

/** Calls looked at in one go, so that a lane that begins with many waiting ones does not block the event loop. */
const lookAtMost = 5_000;

export class Picker {
  readonly #store: Store;
  readonly #laneId: number;
  readonly #held = new Set<number>();
  #cursor = 0;
  #atEnd = false;
  /** Whose turn it is when one slot is left over. */
  #dueIsNext = true;
  /** When the next waiting call is due: never later than the truth; `Infinity` when none waits. */
  #nextDueMs = 0;

  constructor(store: Store, lane: LaneState) {
    this.#store = store;
    this.#laneId = lane.id;
  }

  get nextDueMs(): number {
    return this.#nextDueMs;
  }

  /** Whether calls may wait that `pick` has not looked at. */
  get more(): boolean {
    return !this.#atEnd;
  }

  /** At most `count` calls, which are held from now on. */
  pick(count: number, nowMs: number): readonly Taken[] {
    const picked: Taken[] = [];
    this.#pickDue(picked, this.#dueIsNext ? Math.ceil(count / 2) : Math.floor(count / 2), nowMs);
    if (count % 2 === 1) this.#dueIsNext = !this.#dueIsNext;
    this.#pickFresh(picked, count);
    this.#pickDue(picked, count, nowMs);
    return picked;
  }

  #hold(picked: Taken[], taken: Taken): void {
    this.#held.add(taken.sequence);
    picked.push(taken);
  }

  #pickDue(picked: Taken[], count: number, nowMs: number): void {
    if (nowMs < this.#nextDueMs) return;
    this.#nextDueMs = Infinity;
    for (const { dueMs, sequence } of this.#store.waiting(this.#laneId)) {
      if (this.#held.has(sequence)) continue;
      if (dueMs > nowMs || picked.length === count) {
        this.#nextDueMs = dueMs;
        return;
      }
      this.#hold(picked, { sequence, dueMs, attempt: this.#store.triesOf(callKey(this.#laneId, sequence)).attempts + 1 });
    }
  }

  #pickFresh(picked: Taken[], count: number): void {
    if (this.#atEnd || picked.length === count) return;
    let looked = 0;
    for (const sequence of this.#store.sequencesAfter(this.#laneId, this.#cursor)) {
      if (picked.length === count || ++looked > lookAtMost) return;
      this.#cursor = sequence;
      if (this.#held.has(sequence)) continue;
      const { attempts, dueMs } = this.#store.triesOf(callKey(this.#laneId, sequence));
      if (dueMs === 0) this.#hold(picked, { sequence, dueMs, attempt: attempts + 1 });
    }
    this.#atEnd = true;
  }

  /** A call was stored behind the cursor's end. */
  stored(): void {
    this.#atEnd = false;
  }

  /** Settled on disk: gone, or waiting until `dueMs`. */
  settled(sequence: number, dueMs: number | undefined): void {
    this.#held.delete(sequence);
    if (dueMs !== undefined) this.#nextDueMs = Math.min(this.#nextDueMs, dueMs);
  }

  /** Not handed out after all, and nothing about it was written: it is next again. */
  putBack({ sequence, dueMs }: Taken): void {
    this.#held.delete(sequence);
    if (dueMs > 0) {
      this.#nextDueMs = Math.min(this.#nextDueMs, dueMs);
    } else {
      this.#cursor = Math.min(this.#cursor, sequence - 1);
      this.#atEnd = false;
    }
  }
}
