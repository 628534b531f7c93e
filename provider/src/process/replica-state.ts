/**
 * One replica's life as a union of states and the one function that changes them. Pure; replica.ts acts on each change.
 *
 *   queued ─▶ starting ─▶ ready ⇄ unready ─▶ finishing
 *     ▲          │          │        │            │
 *     │          ▼          ▼        ▼            │
 *     └─────── backoff ◀── killing ◀─┘            │
 *                 ▲───────────────────────────────┘     stop: ─▶ stopping ─▶ ended, or ended at once where no process runs
 */

export type ReplicaState =
  /** Waits for its turn to start; `reason`: how it ended the last time. */
  | { readonly kind: 'queued'; readonly failures: number; readonly reason?: string }
  /** Its process runs and is not ready yet. */
  | { readonly kind: 'starting'; readonly failures: number; readonly reason?: string }
  | { readonly kind: 'ready'; readonly url: string; readonly sinceMs: number; readonly failures: number }
  /** Its process runs and takes nothing for the moment. */
  | { readonly kind: 'unready'; readonly failures: number; readonly reason: string }
  /** Takes nothing more: it finishes what it has, then its process ends. The set replaces it meanwhile. */
  | { readonly kind: 'finishing'; readonly failures: number; readonly reason: string }
  /** Condemned: too slow to be ready, or beyond its memory. Its process is being ended. */
  | { readonly kind: 'killing'; readonly failures: number; readonly reason: string }
  /** Ended by itself; starts again after a while. */
  | { readonly kind: 'backoff'; readonly failures: number; readonly reason: string }
  /** Finishes what it has, then ends for good. */
  | { readonly kind: 'stopping' }
  | { readonly kind: 'ended' };

export type ReplicaEvent =
  /** Its turn has come. */
  | { readonly kind: 'start' }
  | { readonly kind: 'ready'; readonly url: string; readonly atMs: number }
  | { readonly kind: 'unready'; readonly reason: string; readonly atMs: number }
  | { readonly kind: 'finishing'; readonly reason: string; readonly atMs: number }
  | { readonly kind: 'condemned'; readonly reason: string; readonly atMs: number }
  | { readonly kind: 'exited'; readonly reason: string; readonly atMs: number }
  /** The backoff is over. */
  | { readonly kind: 'retry' }
  | { readonly kind: 'stop' };

/** Ready for so long, a replica's earlier failures are forgotten. */
export const steadyMs = 10_000;

/** @returns the next state; the same object when the event changes nothing */
export function transition(state: ReplicaState, event: ReplicaEvent): ReplicaState {
  if (state.kind === 'ended') return state;
  if (state.kind === 'stopping') return event.kind === 'exited' ? { kind: 'ended' } : state;
  switch (event.kind) {
    case 'start':
      return state.kind === 'queued' ? { ...state, kind: 'starting' } : state;
    case 'ready':
      if (state.kind !== 'starting' && state.kind !== 'unready') return state;
      return { kind: 'ready', url: event.url, sinceMs: event.atMs, failures: state.failures };
    case 'unready':
      // A replica on its way up says what keeps it, and stays on its way.
      if (state.kind === 'starting') return { ...state, reason: event.reason };
      return state.kind === 'ready' ? { kind: 'unready', reason: event.reason, failures: failuresOf(state, event.atMs) } : state;
    case 'finishing':
      if (state.kind !== 'starting' && state.kind !== 'ready' && state.kind !== 'unready') return state;
      return { kind: 'finishing', reason: event.reason, failures: failuresOf(state, event.atMs) };
    case 'condemned':
      return hasProcess(state) ? { kind: 'killing', reason: event.reason, failures: failuresOf(state, event.atMs) } : state;
    case 'exited':
      if (state.kind === 'killing' || state.kind === 'finishing') return { kind: 'backoff', reason: state.reason, failures: state.failures + 1 };
      return hasProcess(state) ? { kind: 'backoff', reason: event.reason, failures: failuresOf(state, event.atMs) + 1 } : state;
    case 'retry':
      return state.kind === 'backoff' ? { ...state, kind: 'queued' } : state;
    case 'stop':
      return { kind: hasProcess(state) ? 'stopping' : 'ended' };
  }
}

/** Whether a process of this replica runs. */
export function hasProcess({ kind }: ReplicaState): boolean {
  return kind !== 'queued' && kind !== 'backoff' && kind !== 'ended';
}

function failuresOf(state: Exclude<ReplicaState, { kind: 'stopping' | 'ended' }>, atMs: number): number {
  return state.kind === 'ready' && atMs - state.sinceMs >= steadyMs ? 0 : state.failures;
}
