/** The version of this installation, from its package.json. */
import { readFileSync } from 'node:fs';

// Our own package.json always has it.
export const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
