/** What the watchdog tells the program that started it with an IPC channel, and how it learns that this program has died. */

/** A message to the parent. */
export type ParentMessage =
  | { readonly type: 'ready'; readonly url: string; readonly metricsUrl: string }
  /** `final`: it will not be ready again; it finishes the calls that run and ends. */
  | { readonly type: 'unready'; readonly reason: string; readonly final?: true };

/** A process with an IPC channel, or without. */
type Channel = Pick<NodeJS.Process, 'send' | 'on' | 'connected'>;

/** Talks to the parent; without a channel it says nothing. */
export class ParentChannel {
  constructor(readonly channel: Channel) {}

  /** A program watches over the watchdog. */
  get isOpen(): boolean {
    return this.channel.send !== undefined;
  }

  tell(message: ParentMessage): void {
    // A parent that is just dying fails the send: 'disconnect' follows and ends this process.
    if (this.channel.connected) this.channel.send?.(message, undefined, undefined, () => undefined);
  }

  /** The parent has died, or has let go. */
  onLost(listener: () => void): void {
    if (!this.isOpen) return;
    // One that died while this process started has gone without a sound.
    if (this.channel.connected) this.channel.on('disconnect', listener);
    else listener();
  }
}
