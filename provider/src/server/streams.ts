/**
 * The answers that go on until somebody ends them (`/system/watch`, a followed log): each has a signal that is aborted
 * when its client leaves or the server closes. Lines of JSON, in both.
 */
import type { ServerResponse } from 'node:http';

export class OpenStreams {
  readonly #open = new Set<AbortController>();
  #closed = false;

  /** @returns aborted once the response is over, whoever ended it */
  open(response: ServerResponse): AbortSignal {
    const controller = new AbortController();
    if (this.#closed || response.closed) controller.abort();
    else this.#open.add(controller);
    response.once('close', () => {
      this.#open.delete(controller);
      controller.abort();
    });
    return controller.signal;
  }

  close(): void {
    this.#closed = true;
    for (const controller of this.#open) controller.abort();
  }
}

/** Sends the head of a response whose lines come one by one, unbuffered on the way. */
export function startLines(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' });
  response.flushHeaders();
}
