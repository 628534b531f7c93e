/**
 * `npm run demo`: the month's statements of all sample customers. Starts an S3 server, Postern and a callback receiver, posts
 * twenty asynchronous calls, shows the callbacks as they arrive, saves the PDFs to ./statements/ and ends all it started.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type Callback, startCallbackReceiver } from './callback-receiver.js';
import { localS3Keys, startLocalS3 } from './local-s3.js';
import { repositoryRoot as root, startUp } from './postern.js';

const saveTo = path.join(root, 'statements');
const customers = Array.from({ length: 20 }, (_, index) => index + 1);
const deadline = AbortSignal.timeout(180_000);

interface StatementAnswer {
  readonly customer: number;
  readonly month: string;
  readonly url: string;
  readonly pages: number;
  readonly transactions: number;
}

/** Undone in reverse, whatever happens. */
const releases: (() => Promise<unknown>)[] = [];
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort(new Error('interrupted')));
process.once('SIGTERM', () => interrupted.abort(new Error('interrupted')));
const signal = AbortSignal.any([deadline, interrupted.signal]);

try {
  await demo();
} catch (error) {
  process.exitCode = 1;
  // What fails once the time is up, or after Ctrl-C, fails because of it.
  const cause: unknown = signal.aborted ? signal.reason : error;
  console.error(`\n${cause instanceof Error ? cause.message : String(cause)}`);
} finally {
  for (const release of releases.reverse()) await release();
}

async function demo(): Promise<void> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'postern-demo-'));
  releases.push(() => rm(dir, { recursive: true, force: true }));
  await mkdir(saveTo, { recursive: true });

  const s3 = await startLocalS3({ dir: path.join(dir, 's3'), bucket: 'statements' });
  releases.push(() => s3.close());
  const receiver = await startCallbackReceiver();
  releases.push(() => receiver.close());
  const gateway = await startPostern(dir, s3.endpoint);
  console.log(`Postern at ${gateway}, S3 at ${s3.endpoint}, callbacks to ${receiver.url}`);

  const startedAt = performance.now();
  const callIds = new Set<string>();
  for (const customer of customers) callIds.add(await post(gateway, customer, receiver.url));
  console.log(`${callIds.size} calls accepted in ${seconds(startedAt)}; the first one starts the embedded PostgreSQL, which takes a moment`);

  const progress = startProgress(startedAt);
  let pages = 0;
  for await (const callback of receiver.callbacks(signal)) {
    // A callback is delivered at least once: the second of a call is not news.
    if (!callIds.delete(callback.callId)) continue;
    const answer = readAnswer(callback);
    await save(answer);
    pages += answer.pages;
    progress.advance(answer);
    if (callIds.size === 0) break;
  }
  progress.end();
  console.log(`${customers.length} statements, ${pages} pages, in ${seconds(startedAt)}. They are in ${path.relative(process.cwd(), saveTo) || '.'}${path.sep}`);
}

/** @returns the gateway's URL, once the statement function is ready */
async function startPostern(dir: string, s3Endpoint: string): Promise<string> {
  const { postern, url } = await startUp({
    cwd: root,
    env: {
      DATA_DIR: path.join(dir, 'data'), S3_ENDPOINT: s3Endpoint, S3_BUCKET: 'statements',
      AWS_ACCESS_KEY_ID: localS3Keys.accessKeyId, AWS_SECRET_ACCESS_KEY: localS3Keys.secretAccessKey,
    },
  }, 'statement');
  releases.push(() => postern.stop());
  return url;
}

/** @returns the call's id, once the 202 says that it is stored */
async function post(gateway: string, customer: number, callbackUrl: string): Promise<string> {
  const response = await fetch(`${gateway}/async-function/statement`, {
    method: 'POST', body: JSON.stringify({ customer }), signal,
    headers: { 'Content-Type': 'application/json', 'X-Callback-Url': callbackUrl },
  });
  const text = await response.text();
  const callId = response.headers.get('x-call-id');
  if (response.status !== 202 || callId === null) throw new Error(`the gateway answered ${response.status} instead of 202: ${text}`);
  return callId;
}

function readAnswer({ callId, functionStatus, body }: Callback): StatementAnswer {
  if (functionStatus !== 200) throw new Error(`call ${callId} ended with status ${functionStatus}: ${body.toString()}`);
  // The function is ours: its answer is what its own tests say.
  return JSON.parse(body.toString()) as StatementAnswer;
}

async function save({ customer, month, url }: StatementAnswer): Promise<void> {
  const response = await fetch(url, { signal });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const name = `customer-${String(customer).padStart(6, '0')}-${month}.pdf`;
  await writeFile(path.join(saveTo, name), Buffer.from(await response.arrayBuffer()));
}

interface Progress {
  advance(answer: StatementAnswer): void;
  end(): void;
}

/** One line that grows on a terminal, a line a statement elsewhere. */
function startProgress(startedAt: number): Progress {
  const total = customers.length;
  let done = 0;
  if (!process.stdout.isTTY) {
    return {
      advance({ customer, month, pages, transactions }) {
        done += 1;
        console.log(`${done}/${total} customer ${customer}, ${month}: ${transactions} transactions on ${pages} page${pages === 1 ? '' : 's'}`);
      },
      end: () => undefined,
    };
  }
  const draw = (): void => {
    const bar = '█'.repeat(done).padEnd(total, '░');
    process.stdout.write(`\r\u001b[K${bar} ${done} of ${total} statements, ${seconds(startedAt)}`);
  };
  draw();
  const ticking = setInterval(draw, 100);
  releases.push(async () => clearInterval(ticking));
  return {
    advance() { done += 1; draw(); },
    end() { clearInterval(ticking); process.stdout.write('\n'); },
  };
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1_000).toFixed(1)} s`;
}
