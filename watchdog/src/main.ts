/**
 * The watchdog as a program: settings, wiring, signals. Configured by environment variables alone (settings.ts).
 * Not here: serving (server.ts) and running (http/, fork/, static/, inproc/).
 */
import { exitNow } from './exit.js';
import { OrphanGuard } from './guard.js';
import { setLockFile } from './lock-file.js';
import { Log } from './log.js';
import { Metrics } from './metrics.js';
import { ParentChannel } from './parent-channel.js';
import type { Readiness, Runner } from './runner.js';
import { FunctionServer } from './server.js';
import { readSettings, type Settings } from './settings.js';

const log = { current: new Log(process.stdout, process.stderr, false) };

async function main(): Promise<void> {
  const settings = readSettings(process.env);
  log.current = new Log(process.stdout, process.stderr, settings.logCallId);
  process.on('exit', log.current.flush);
  // Whoever read the log has died; the same news comes over the channel, and writing of it would only fail again.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const parent = new ParentChannel(process);
  parent.onLost(() => exitNow(1)); // the guard ends the function's processes

  const runner = await createRunner(settings);
  const metrics = new Metrics(() => server.inFlight);
  const server = new FunctionServer(settings, runner, metrics, log.current);
  const url = await orPortError('port', settings.port, server.listen(settings.port, settings.host));
  const metricsUrl = await orPortError('metrics_port', settings.metricsPort, metrics.listen(settings.metricsPort, settings.host));
  const withLock = !settings.suppressLock && !parent.isOpen;

  let draining = false;
  const onReadiness = (readiness: Readiness, first: boolean): void => {
    server.setReadiness(readiness);
    if (draining) return;
    if (withLock) setLockFile(readiness.ready);
    if (readiness.ready) {
      log.current.info(`ready at ${url} (${settings.mode} mode), metrics at ${metricsUrl}`);
      parent.tell({ type: 'ready', url, metricsUrl });
    } else if (!first) {
      parent.tell({ type: 'unready', ...readiness.final && { final: true }, reason: readiness.reason });
    }
  };

  const drain = async (signal: string): Promise<void> => {
    if (draining) {
      log.current.error(`${signal} again: ending now, ${server.inFlight} calls unfinished`);
      exitNow(1);
    }
    draining = true;
    log.current.info(`${signal}: finishing ${server.inFlight} calls`);
    parent.tell({ type: 'unready', reason: 'the function is shutting down' });
    if (withLock) setLockFile(false);
    const finished = await server.drain();
    await runner.stop();
    server.close();
    await exit(finished ? 0 : 1);
  };
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => void drain(signal));

  let first = true;
  runner.onReadiness((readiness) => {
    onReadiness(readiness, first);
    first = false;
  });
  await runner.start();
}

async function createRunner(settings: Settings): Promise<Runner> {
  if (settings.mode === 'static') return (await import('./static/runner.js')).createStaticRunner(settings.staticPath);
  const guard = new OrphanGuard();
  switch (settings.mode) {
    case 'http': return (await import('./http/runner.js')).createHttpRunner(settings, guard, log.current);
    case 'streaming':
    case 'serializing': return new (await import('./fork/runner.js')).ForkRunner(settings, guard, log.current);
    case 'inproc':
      // What a handler starts is in the group of this process, if it leads one. If it does not, none has this number.
      guard.add(process.pid);
      return (await import('./inproc/runner.js')).createInprocRunner(settings);
  }
}

async function orPortError(name: string, port: number, listening: Promise<string>): Promise<string> {
  return listening.catch((error: unknown) => {
    throw new Error(`${name}=${port}: ${error instanceof Error ? error.message : String(error)}`);
  });
}

async function exit(code: number): Promise<never> {
  await log.current.flushed();
  exitNow(code);
}

main().catch(async (error: unknown) => {
  log.current.error(error instanceof Error ? error.message : String(error));
  await exit(1);
});
