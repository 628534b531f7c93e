/** `npm run bench [-- figure …]`: accept, sync, drain, memory, start; all of them without arguments. */
import { benchAccept } from './accept.js';
import { benchDrain } from './drain.js';
import { benchMemory } from './memory.js';
import { benchStart } from './start.js';
import { benchSync } from './sync.js';

const figures: Readonly<Record<string, () => Promise<void>>> = {
  accept: async () => {
    await benchAccept('embedded', 0.5);
    await benchAccept('jetstream', 0.33);
  },
  sync: () => benchSync(0.7),
  drain: async () => {
    await benchDrain('embedded', 0.5);
    await benchDrain('jetstream', 0.5);
  },
  memory: async () => {
    await benchMemory('embedded', 150);
    await benchMemory('jetstream', 150);
  },
  start: () => benchStart(3),
};

const wanted = process.argv.slice(2);
for (const name of wanted.length > 0 ? wanted : Object.keys(figures)) {
  const bench = figures[name];
  if (bench === undefined) throw new Error(`no figure ${name}: there are ${Object.keys(figures).join(', ')}`);
  await bench();
}
