import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { eventually, isAlive, launchWatchdog, startWatchdog, temporaryFile, type ReadyWatchdog } from '../testing/watchdog-process.js';

/** The function of these tests: a shell program that does what the path says. */
const program = `#!/bin/sh
case $Http_Path in
  /upper) echo 'note to the log' >&2; tr a-z A-Z ;;
  /nothing) : ;;
  /echo) cat ;;
  /unread) echo done ;;
  /env) env ;;
  /fail) exit 3 ;;
  /killed) kill -9 $$ ;;
  /stubborn) sleep 300 & trap '' TERM; echo "stubborn $$ $!" >&2; wait; wait ;;
  /sleep) echo "sleeper $$" >&2; exec sleep 300 ;;
  /slow) echo begun >&2; sleep 0.7; echo whole ;;
  /part) echo part; sleep 0.1; exit 1 ;;
  /part-and-hang) echo part; exec sleep 300 ;;
  /endless) exec cat /dev/zero ;;
  /background) sleep 300 & echo $! ;;
esac
`;

for (const mode of ['streaming', 'serializing'] as const) {
  const file = await temporaryFile({ after }, 'function.sh', program);
  const { url, output, kill, ended }: ReadyWatchdog = await startWatchdog({ after }, { mode, fprocess: `'${file}'`, content_type: 'text/plain', greeting: 'hi' });
  const short = { headers: { 'X-Timeout': '500ms' } };

  test(`${mode}: the body is the program's standard input, its standard output the answer, stderr the log`, async () => {
    const response = await fetch(`${url}/upper`, { method: 'POST', body: 'hello' });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'text/plain');
    assert.match(response.headers.get('x-duration-seconds') ?? '', /^\d/);
    assert.equal(response.headers.get('content-length'), mode === 'serializing' ? '5' : null);
    assert.equal(await response.text(), 'HELLO');
    await eventually(() => /stderr: note to the log/.test(output()));
    await eventually(() => /POST \/upper - 200 OK - ContentLength: /.test(output()));
  });

  test(`${mode}: an empty answer is a 200`, async () => {
    const response = await fetch(`${url}/nothing`);
    assert.equal(response.status, 200);
    assert.equal(await response.text(), '');
  });

  test(`${mode}: 5 MB pass both ways`, async () => {
    const body = Buffer.alloc(5 << 20, 'abc');
    const response = await fetch(`${url}/echo`, { method: 'POST', body });
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(body));
  });

  test(`${mode}: a program that does not read its input still answers`, async () => {
    const response = await fetch(`${url}/unread`, { method: 'POST', body: Buffer.alloc(1 << 20) });
    assert.equal(await response.text(), 'done\n');
  });

  test(`${mode}: the environment is the watchdog's and the request's, all values of a header`, async () => {
    const request = httpRequest(`${url}/env?q=1`, { headers: ['Host', 'h', 'X-Tag', 'a', 'X-Tag', 'b'] }).end();
    const [response] = await once(request, 'response') as [IncomingMessage];
    const environment = (await text(response)).split('\n');
    for (const line of ['greeting=hi', 'Http_X_Tag=a, b', 'Http_Method=GET', 'Http_Path=/env', 'Http_Query=q=1']) assert.ok(environment.includes(line), line);
  });

  for (const [path, message] of [['/fail', 'exit status 3'], ['/killed', 'signal: SIGKILL']] as const) {
    test(`${mode}: ${message} is a 500 with a JSON error, logged with the call id`, async () => {
      const response = await fetch(url + path, { headers: { 'X-Call-Id': 'c-5' } });
      assert.equal(response.status, 500);
      assert.equal(response.headers.get('x-openfaas-internal'), 'of-watchdog');
      assert.deepEqual(await response.json(), { error: { code: 'function_failed', message: `the function failed: ${message}` } });
      await eventually(() => output().includes(`the function failed: ${message} [c-5]`));
    });
  }

  test(`${mode}: a request too large for a process's environment is a 431, and the next one is answered`, async () => {
    const request = httpRequest(`${url}/upper`, { headers: { 'X-Long': 'x'.repeat(140_000) } }).end();
    const [response] = await once(request, 'response') as [IncomingMessage];
    assert.equal(response.statusCode, 431);
    assert.match(await text(response), /"headers_too_large".*E2BIG/);
    assert.equal((await fetch(`${url}/nothing`)).status, 200);
  });

  test(`${mode}: past its deadline a call is answered 504 and nothing of its process group is left`, async () => {
    assert.equal((await fetch(`${url}/stubborn`, short)).status, 504);
    const [, shell, sleep] = await eventually(() => /stubborn (\d+) (\d+)/.exec(output()) ?? undefined);
    await eventually(async () => !(await isAlive(Number(shell))) && !(await isAlive(Number(sleep))));
  });

  test(`${mode}: a client that goes away ends its process`, async () => {
    const request = httpRequest(`${url}/sleep`).end();
    request.on('error', () => undefined);
    const [, pid] = await eventually(() => /sleeper (\d+)/.exec(output()) ?? undefined);
    request.destroy();
    await eventually(async () => !(await isAlive(Number(pid))));
  });

  if (mode === 'serializing') {
    test('serializing: an output without end is a 500, and its process is ended', async () => {
      const response = await fetch(`${url}/endless`);
      assert.equal(response.status, 500);
      assert.match(await response.text(), /its output is larger than 268435456 bytes/);
    });
  }

  if (mode === 'streaming') {
    test('streaming: output goes out as it comes, before the program has ended or read all', async () => {
      const request = httpRequest(`${url}/echo`, { method: 'POST' });
      request.write('first');
      const [response] = await once(request, 'response') as [IncomingMessage];
      const [chunk] = await once(response, 'data') as [Buffer];
      assert.equal(String(chunk), 'first');
      request.end();
      await once(response.resume(), 'end');
    });

    test('streaming: a failure after the first byte breaks the answer off, and never ends it well', async () => {
      const response = await fetch(`${url}/part`);
      assert.equal(response.status, 200);
      await assert.rejects(response.text());
    });

    test('streaming: past its deadline an answer that has begun is broken off', async () => {
      await assert.rejects((await fetch(`${url}/part-and-hang`, short)).text());
    });

    test('what a program leaves running in the background ends with it', async () => {
      const pid = Number(await (await fetch(`${url}/background`)).text());
      await eventually(async () => !(await isAlive(pid)));
    });
  }

  test(`${mode}: a program that has gone, or that may not be run, is a 500`, async () => {
    await chmod(file, 0o644);
    assert.equal((await fetch(`${url}/nothing`)).status, 500);
    await rm(file);
    const response = await fetch(`${url}/nothing`);
    assert.equal(response.status, 500);
    assert.match(await response.text(), /function_failed.*ENOENT/);
    await writeFile(file, program, { mode: 0o755 });
    assert.equal((await fetch(`${url}/nothing`)).status, 200);
  });

  test(`${mode}: SIGTERM lets a call that runs finish, then exit status 0`, async () => { // the last that uses this watchdog
    const slow = fetch(`${url}/slow`);
    await eventually(() => output().includes('begun'));
    kill('SIGTERM');
    assert.equal(await (await slow).text(), 'whole\n');
    assert.deepEqual(await ended, { code: 0, signal: null });
  });

  test(`${mode}: a program that is nowhere stops the watchdog at start`, async (t) => {
    const watchdog = launchWatchdog(t, { mode, fprocess: 'no-such-program -x' });
    assert.equal((await watchdog.ended).code, 1);
    assert.equal(watchdog.output(), 'no-such-program: no such program\n');
  });
}
