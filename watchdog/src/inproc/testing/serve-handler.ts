/**
 * For tests: a real handler in a folder of its own, served by the inproc runner without the watchdog's server around it.
 */
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Call } from '../../call.js';
import { FunctionResponse } from '../../function-response.js';
import { ClientGone, ExecTimeout } from '../../runner.js';
import type { InprocLang } from '../../settings.js';
import { createInprocRunner } from '../runner.js';

/** Name and text of each file. */
export type Files = Readonly<Record<string, string>>;

/** @returns the folder, removed after the test; the workspace's packages can be imported from it */
export async function handlerFolder(t: TestContext, files: Files): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'handler-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  await symlink(fileURLToPath(new URL('../../../../node_modules', import.meta.url)), path.join(folder, 'node_modules'));
  return folder;
}

export interface Served {
  readonly url: string;
  /** Ends every running call as the deadline does. */
  passDeadline(): void;
}

/** Serves the handler until the test ends. Rejects as `start` does. */
export async function serveHandler(
  t: TestContext, lang: InprocLang, files: Files, environment: NodeJS.ProcessEnv = {},
): Promise<Served> {
  const runner = createInprocRunner({ lang, handler: await handlerFolder(t, files), execTimeoutMs: 0, environment });
  t.after(() => runner.stop());
  await runner.start();
  const running = new Set<Call>();
  const server = createServer({ ServerResponse: FunctionResponse }, (request, response) => {
    const callId = String(request.headers['x-call-id'] ?? '');
    const call = new Call(callId, 0, 'exec_timeout', performance.now(), response);
    running.add(call);
    response.once('close', () => {
      running.delete(call);
      if (!response.writableFinished) call.abort(new ClientGone());
    });
    runner.handle(request, response, call).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    // A listening TCP server's address is an object.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passDeadline() {
      for (const call of running) call.abort(new ExecTimeout(1_000));
    },
  };
}
