/** What a watch told, in order, and a way to wait for what it has yet to tell. For tests. */
import type { FunctionEvent, Provider } from '../provider.js';

export interface EventRecord {
  readonly events: readonly FunctionEvent[];
  /**
   * Resolves with the first event from the position `from` on that fits, told already or not.
   * @throws when none fits within the deadline
   */
  next(fits: (event: FunctionEvent) => boolean, from?: number): Promise<FunctionEvent>;
  stop(): void;
}

export function recordEvents(provider: Provider, deadlineMs = 15_000): EventRecord {
  const events: FunctionEvent[] = [];
  const told = new Set<() => void>();
  const stop = provider.watch((event) => {
    events.push(event);
    for (const look of told) look();
  });
  return {
    events,
    stop,
    next: (fits, from = 0) => new Promise((resolve, reject) => {
      const deadline = setTimeout(() => {
        told.delete(look);
        reject(new Error(`no such event in ${deadlineMs} ms; told: ${JSON.stringify(events.slice(from))}`));
      }, deadlineMs);
      const look = (): void => {
        const event = events.slice(from).find(fits);
        if (event === undefined) return;
        clearTimeout(deadline);
        told.delete(look);
        resolve(event);
      };
      told.add(look);
      look();
    }),
  };
}
