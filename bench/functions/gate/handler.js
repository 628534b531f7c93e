/** Holds every call until the file named by GATE exists, so that a backlog can be built up and then drained. */
import { existsSync } from 'node:fs';

const opened = new Promise((resolve) => {
  const timer = setInterval(() => {
    if (!existsSync(process.env.GATE ?? '')) return;
    clearInterval(timer);
    resolve(undefined);
  }, 20);
});
let open = false;
void opened.then(() => { open = true; });

export default async () => {
  if (!open) await opened;
  return new Response('ok');
};
