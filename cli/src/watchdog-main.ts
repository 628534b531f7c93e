/** Where the watchdog program is in this installation. */
import { fileURLToPath } from 'node:url';

export const watchdogMain = fileURLToPath(import.meta.resolve('@postern/watchdog/main'));
