/** From `postern up` with the repository's own stack to the first answer of `hello`. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './processes.js';
import { median } from './report.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

export async function benchStart(reachSeconds: number): Promise<void> {
  const seconds: number[] = [];
  for (let round = 0; round < 3; round++) {
    const dataDir = mkdtempSync(join(tmpdir(), 'postern-start-'));
    const start = performance.now();
    const port = await freePort();
    const child = spawn('npm', ['start'], { cwd: root, stdio: 'ignore', detached: true, env: { ...process.env, DATA_DIR: dataDir, PORT: String(port) } });
    const url = `http://127.0.0.1:${port}/function/hello`;
    while (child.exitCode === null && !await fetch(url).then((response) => response.ok, () => false)) await new Promise((resolve) => setTimeout(resolve, 10));
    if (child.exitCode !== null) throw new Error(`npm start ended with ${child.exitCode}`);
    seconds.push((performance.now() - start) / 1_000);
    const exited = new Promise((resolve) => child.once('exit', resolve));
    // The group this benchmark has just made: npm and what it started.
    process.kill(-(child.pid ?? 0), 'SIGTERM');
    await exited;
    rmSync(dataDir, { recursive: true, force: true });
  }
  console.log(`npm start until hello answers: ${median(seconds).toFixed(2)} s (rounds ${seconds.map((s) => s.toFixed(2)).join(', ')}; reach ${reachSeconds})`);
}
