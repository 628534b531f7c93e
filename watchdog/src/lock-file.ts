/** The file whose presence OpenFaaS's images take for "healthy" in their HEALTHCHECK: `.lock` in the temporary folder. */
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const path = join(tmpdir(), '.lock');

/** There while the watchdog is ready. A folder that cannot be written costs the file, not the function. */
export function setLockFile(present: boolean): void {
  try {
    if (present) writeFileSync(path, '', { mode: 0o660 });
    else rmSync(path, { force: true });
  } catch {
    // A read-only root without /tmp: the HEALTHCHECK fails, the health route works.
  }
}
