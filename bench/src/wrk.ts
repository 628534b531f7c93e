/** One run of wrk: requests per second and what went wrong. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface WrkResult {
  readonly requestsPerSecond: number;
  /** Answers outside 2xx and 3xx, and sockets that failed. */
  readonly errors: number;
}

/** POSTs a 17-byte JSON body. @throws when wrk is not installed */
export async function wrk(url: string, connections: number, seconds: number): Promise<WrkResult> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-wrk-'));
  const script = join(dir, 'post.lua');
  writeFileSync(script, 'wrk.method = "POST"\nwrk.body = \'{"hello":"world"}\'\nwrk.headers["Content-Type"] = "application/json"\n');
  try {
    const { stdout } = await promisify(execFile)('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, url]);
    const rate = /Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1];
    if (rate === undefined) throw new Error(`wrk said something else: ${stdout}`);
    const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? 0);
    const sockets = [.../Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout)?.slice(1) ?? []];
    return { requestsPerSecond: Number(rate), errors: refused + sockets.reduce((sum, n) => sum + Number(n), 0) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new Error('wrk is not installed: apt-get install wrk', { cause: error });
    throw error;
  } finally {
    rmSync(dir, { recursive: true });
  }
}
