/**
 * Speaks the watchdog's contract with its parent (environment, IPC, signals) and misbehaves when told to. For tests.
 * At start, by the variable `fake`: `die`, `never-ready`, `short-lived` (dies once it is ready), `deaf` (ignores SIGTERM). Later, by request: the paths below.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { type ServerResponse, createServer } from 'node:http';
import { join } from 'node:path';

const { fake, handler } = process.env;
const version = handler !== undefined && existsSync(join(handler, 'version')) ? readFileSync(join(handler, 'version'), 'utf8').trim() : '';
const ballast: Buffer[] = [];
const held: ServerResponse[] = [];

if (fake === 'die' || version === 'broken') {
  process.stderr.write('handler.js:3: this cannot be read\n');
  process.exitCode = 3;
  process.disconnect();
} else {
  process.on('disconnect', () => process.exit(1));
  process.on('SIGTERM', () => { if (fake !== 'deaf') drain(); });
  if (fake === 'never-ready') setInterval(() => undefined, 1_000);
  else serve();
}

let draining = false;
let inFlight = 0;

const server = createServer((req, res) => {
  inFlight++;
  res.on('close', () => {
    inFlight--;
    endWhenDrained();
  });
  const url = new URL(req.url ?? '/', 'http://fake');
  const answer = (body: unknown): void => { res.end(typeof body === 'string' ? body : JSON.stringify(body)); };
  switch (url.pathname) {
    case '/pid': return answer(String(process.pid));
    case '/version': return answer(version);
    case '/env': return answer(process.env);
    case '/cwd': return answer(process.cwd());
    case '/argv': return answer(process.execArgv);
    case '/secret': return answer(readFileSync(join(process.env['secret_mount_path'] ?? '', url.searchParams.get('name') ?? ''), 'utf8'));
    case '/say':
      process.stdout.write(`${url.searchParams.get('text')}\n`, () => answer(''));
      return undefined;
    case '/exit':
      process.stderr.write('told to exit\n', () => process.exit(Number(url.searchParams.get('code'))));
      return undefined;
    case '/unready':
      process.send?.({ type: 'unready', reason: 'told to be' });
      return answer('');
    case '/crash':
      process.send?.({ type: 'unready', reason: 'an error nobody caught', final: true });
      draining = true;
      return answer('');
    case '/hold':
      // The head goes out at once: the caller knows that its request is being handled.
      res.flushHeaders();
      held.push(res);
      return undefined;
    case '/release':
      for (const waiting of held.splice(0)) waiting.end('released');
      return answer('');
    case '/grow':
      ballast.push(Buffer.alloc(Number(url.searchParams.get('mb')) * 2 ** 20, 1));
      return answer('');
    case '/child': {
      const child = spawn('sleep', ['600'], { stdio: 'ignore', detached: true });
      return answer(String(child.pid));
    }
    default: return answer('');
  }
});

function serve(): void {
  queueMicrotask(() => server.listen(Number(process.env['port']), '127.0.0.1', () => {
    const address = server.address();
    if (address !== null && typeof address === 'object') process.send?.({ type: 'ready', url: `http://127.0.0.1:${address.port}`, metricsUrl: '' });
    if (fake === 'short-lived') process.stderr.write('no database\n', () => process.exit(4));
  }));
}

function drain(): void {
  process.send?.({ type: 'unready', reason: 'draining' });
  draining = true;
  endWhenDrained();
}

function endWhenDrained(): void {
  if (draining && inFlight === 0) process.exit(0);
}
