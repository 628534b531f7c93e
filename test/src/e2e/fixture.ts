/** What the end-to-end tests share: a folder with a stack of its own, both queues, and polling with a deadline. */
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { startNatsServer } from '@postern/queue/testing/nats-server';
import { type PosternOptions, PosternProcess, startUp } from '../postern.js';

export type QueueKind = 'embedded' | 'jetstream';
export const queueKinds: readonly QueueKind[] = ['embedded', 'jetstream'];

/** Functions that misbehave on request, and one that counts. */
const files: Readonly<Record<string, string>> = {
  'stack.yml': `
version: "1.0"
provider: {name: openfaas}
functions:
  echo: {lang: web, handler: ./echo}
  upper: {fprocess: "tr a-z A-Z"}
  recorder: {lang: node, handler: ./recorder, environment: {RECORD: "\${RECORD}"}}
  crash: {lang: node, handler: ./crash, annotations: {com.openfaas.retry.attempts: "2", com.openfaas.retry.min_wait: 100ms, com.openfaas.retry.max_wait: 200ms}}
`,
  'echo/handler.js': 'export default async (request) => new Response(await request.text(), { headers: { "x-attempt": request.headers.get("x-attempt") ?? "" } });\n',
  // Writes call id, attempt and "start" or "end" a line, synchronously, so that a kill loses none; waits as long as the body says.
  'recorder/handler.mjs': `
import { appendFileSync } from 'node:fs';
export default async (req, res) => {
  let body = '';
  for await (const chunk of req) body += chunk;
  const line = (what) => appendFileSync(process.env.RECORD, req.headers['x-call-id'] + ' ' + req.headers['x-attempt'] + ' ' + what + '\\n');
  line('start');
  await new Promise((resolve) => setTimeout(resolve, Number(body)));
  line('end');
  res.end('recorded');
};
`,
  'crash/handler.mjs': 'export default () => { setTimeout(() => { throw new Error("crashed in a timer"); }, 10); };\n',
};

export interface Folder {
  readonly dir: string;
  readonly record: string;
  /** The environment of programs that belong to this folder. */
  readonly env: Record<string, string>;
  /** Ended before the folder goes. */
  readonly programs: PosternProcess[];
}

/** A folder with the stack, removed at the test's end; for JetStream with a nats-server of its own. */
export async function makeFolder(t: TestContext, kind: QueueKind, more: Readonly<Record<string, string>> = {}): Promise<Folder & { readonly nats: Awaited<ReturnType<typeof startNatsServer>> | undefined }> {
  const dir = await mkdtemp(join(tmpdir(), 'postern-e2e-'));
  for (const [name, text] of Object.entries({ ...files, ...more })) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), text);
  }
  const record = join(dir, 'record.txt');
  await writeFile(record, '');
  const nats = kind === 'jetstream' ? await startNatsServer({ storeDir: join(dir, 'nats') }) : undefined;
  const programs: PosternProcess[] = [];
  t.after(async () => {
    await Promise.all(programs.map((each) => each.kill9()));
    await nats?.stop();
    // The functions of a killed Postern end on their own, a moment later.
    await rm(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });
  return {
    dir, record, nats, programs,
    env: {
      DATA_DIR: join(dir, 'data'), STACK_FILE: join(dir, 'stack.yml'), RECORD: record, initial_retry_wait: '200ms', max_retry_wait: '1s',
      callback_min_wait: '100ms', callback_max_wait: '500ms', ...(nats ? { NATS_URL: nats.url } : {}),
    },
  };
}

/** `postern up` over the folder; killed at the test's end if it still runs. */
export async function up(folder: Folder, env: Readonly<Record<string, string>> = {}, ready: readonly string[] = ['echo', 'upper', 'recorder', 'crash']) {
  const started = await startUp({ env: { ...folder.env, ...env } }, ...ready);
  folder.programs.push(started.postern);
  return started;
}

/** Any program over the folder; killed at the test's end if it still runs. */
export function program(folder: Folder, options: PosternOptions): PosternProcess {
  const started = new PosternProcess({ ...options, env: { ...folder.env, ...options.env } });
  folder.programs.push(started);
  return started;
}

/** Asks again every 50 ms until `question` answers with something; fails after the deadline. */
export async function eventually<T>(question: () => Promise<T | undefined> | T | undefined, what: string, deadlineMs = 45_000): Promise<T> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const answer = await question();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`gave up waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
