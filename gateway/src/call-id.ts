/** `X-Call-Id` and `X-Start-Time`: what names a request and says when the gateway took it. */
import { v4 } from 'uuid';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The caller's own id when it is a UUID, else a fresh random one. */
export function callIdOf(sent: string | string[] | undefined): string {
  return typeof sent === 'string' && uuid.test(sent) ? sent : v4();
}

/** Nanoseconds since the epoch, to the microsecond, as decimal digits. */
export function nowNs(): string {
  return `${Math.floor((performance.timeOrigin + performance.now()) * 1_000)}000`;
}
