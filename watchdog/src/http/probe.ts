/** Finds out when a child process answers: its port accepts, and its ready_path (if it has one) says 2xx. */
import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import { connect, createServer, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const everyMs = 20;
/** A program that takes longer than this to start need not be asked so often. */
const eagerForMs = 5_000;
const patientEveryMs = 200;
const probeTimeoutMs = 1_000;

/**
 * Resolves with true once the child answers, with false when `signal` is aborted before (the child has died, or took too long).
 * @param readyPath - '' when accepting a connection is enough
 */
export async function untilAnswering(upstream: URL, readyPath: string, signal: AbortSignal): Promise<boolean> {
  const startedMs = performance.now();
  while (!signal.aborted) {
    if (await accepts(upstream) && (readyPath === '' || await saysReady(new URL(upstream.origin + basePathOf(upstream) + readyPath)))) return !signal.aborted;
    const waitMs = performance.now() - startedMs < eagerForMs ? everyMs : patientEveryMs;
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
  }
  return false;
}

/** Before each path of the function's; '' or a path without a slash at its end. */
export function basePathOf(upstream: URL): string {
  return upstream.pathname.replace(/\/+$/, '');
}

/** Whether somebody listens there. */
export function accepts(upstream: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const port = portOf(upstream);
    const socket = connect({ host: hostOf(upstream), port });
    socket.setTimeout(probeTimeoutMs, () => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(false));
    socket.on('connect', () => {
      // A free port of the ephemeral range may be lent to this very socket: then it has met itself.
      resolve(!(socket.localPort === port && socket.localAddress === socket.remoteAddress));
      socket.destroy();
    });
  });
}

function saysReady(url: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const get = url.protocol === 'https:' ? httpsGet : httpGet;
    const request = get(url, { agent: false, timeout: probeTimeoutMs }, (response) => {
      response.resume();
      const status = response.statusCode ?? 0;
      resolve(status >= 200 && status < 300);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}

/** A port that nobody listens on at this moment. Another may take it before the child does: then the child dies of it and the next try takes another. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo; // a TCP server's address is an object
      server.close(() => resolve(port));
    });
  });
}

export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}
