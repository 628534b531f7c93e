/**
 * The watchdog's settings, read from environment variables under of-watchdog's names.
 * A wrong one is never guessed around: the watchdog does not start, and says which variable, which value and what was expected.
 */
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { splitCommandLine } from './command-line.js';
import { parseDuration } from './duration.js';

/** How the function runs. */
export type Mode = 'http' | 'streaming' | 'serializing' | 'static' | 'inproc';

const modes = ['http', 'streaming', 'serializing', 'static', 'inproc'] as const;

/** Handlers that run in the watchdog's own process. */
export type InprocLang = 'node' | 'web' | 'node18' | 'node20' | 'node22';

const inprocLangs: readonly string[] = ['node', 'web', 'node18', 'node20', 'node22'] satisfies InprocLang[];
const pythonLangs: readonly string[] = ['python3-http', 'python3-http-debian'];
const pythonRunner = fileURLToPath(new URL('../runtimes/python3-http/index.py', import.meta.url));

/** Every setting; durations in milliseconds. */
export interface Settings {
  readonly mode: Mode;
  /** Only read when `mode` is inproc. */
  readonly lang: InprocLang;
  /** Absolute path of the handler's folder or file; '' outside inproc mode. */
  readonly handler: string;
  /** `fprocess`, split: the program and its arguments. Empty in the modes that run none. */
  readonly command: readonly string[];
  /** Where the child of http mode listens; `undefined`: on a free port the watchdog picks. */
  readonly upstreamUrl: URL | undefined;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** 0: any free port. */
  readonly metricsPort: number;
  /** For the whole request to arrive; 0: no limit. */
  readonly readTimeoutMs: number;
  /** For a client to take any byte of an answer that waits for it; 0: no limit. */
  readonly writeTimeoutMs: number;
  /** For the function to answer; 0: no limit. */
  readonly execTimeoutMs: number;
  /** `healthcheck_interval`: how long calls are still taken after SIGTERM, until a load balancer has seen that the watchdog is unready. */
  readonly lameDuckMs: number;
  /** Calls at the same time; 0: no limit. */
  readonly maxInflight: number;
  /** A path of the function that answers 2xx when it is ready; '': none. */
  readonly readyPath: string;
  /** Of the answers of the modes that fork. */
  readonly contentType: string;
  /** Read the request's body whole before the child of http mode gets it. */
  readonly bufferBody: boolean;
  readonly staticPath: string;
  readonly prefixLogs: boolean;
  /** Longer lines of the function are forwarded in pieces; Infinity: never. */
  readonly maxLogLineBytes: number;
  readonly logCallId: boolean;
  readonly suppressLock: boolean;
  /** What the function's processes inherit. */
  readonly environment: NodeJS.ProcessEnv;
}

/** A setting is wrong. The message is one line, fit to be a program's last words. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/**
 * An empty variable counts as unset, as compose files leave them.
 * @throws {SettingsError} naming the first wrong variable
 */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const env = new Variables(environment);
  const { mode, lang, handler } = readMode(env);
  return {
    mode, lang, handler,
    command: readCommand(env, mode),
    upstreamUrl: mode === 'http' ? readUpstream(env) : undefined,
    host: env.text(['HOST'], '127.0.0.1'),
    port: env.integer(['port'], 8080, 0, 65_535),
    metricsPort: env.integer(['metrics_port'], 8081, 0, 65_535),
    readTimeoutMs: env.duration(['read_timeout'], '30s'),
    writeTimeoutMs: env.duration(['write_timeout'], '30s'),
    execTimeoutMs: env.duration(['exec_timeout'], '30s'),
    lameDuckMs: env.duration(['healthcheck_interval'], '0s'),
    maxInflight: env.integer(['max_inflight'], 0, 0, Number.MAX_SAFE_INTEGER),
    readyPath: env.path(['ready_path']),
    contentType: env.text(['content_type'], 'application/octet-stream'),
    bufferBody: env.flag(['http_buffer_req_body', 'buffer_http'], false),
    staticPath: env.text(['static_path'], '/home/app/public'),
    prefixLogs: env.flag(['prefix_logs'], true),
    maxLogLineBytes: readMaxLogLine(env),
    logCallId: env.flag(['log_callid', 'log_call_id'], false),
    suppressLock: env.flag(['suppress_lock'], false),
    environment,
  };
}

function readMode(env: Variables): { mode: Mode; lang: InprocLang; handler: string } {
  const [modeName, modeText] = env.find(['mode']);
  const [langName, lang] = env.find(['lang']);
  const mode = modes.find((name) => name === modeText);
  if (modeText !== '' && mode === undefined) throw wrong(modeName, modeText, `one of ${modes.join(', ')}`);
  if (lang === '') {
    if (mode === 'inproc') throw wrong(langName, '', `one of ${inprocLangs.join(', ')} (mode is inproc)`);
    return { mode: mode ?? 'streaming', lang: 'node', handler: '' };
  }
  const implied = isInprocLang(lang) ? 'inproc' : pythonLangs.includes(lang) ? 'http' : undefined;
  if (implied === undefined) throw wrong(langName, lang, `one of ${[...inprocLangs, ...pythonLangs].join(', ')}`);
  if (mode !== undefined && mode !== implied) throw wrong(modeName, mode, `${implied}, or unset (lang is ${lang})`);
  const [handlerName, handler] = env.find(['handler']);
  if (!isAbsolute(handler)) throw wrong(handlerName, handler, `the absolute path of the handler's folder or file (lang is ${lang})`);
  return { mode: implied, lang: isInprocLang(lang) ? lang : 'node', handler };
}

function isInprocLang(lang: string): lang is InprocLang {
  return inprocLangs.includes(lang);
}

function readCommand(env: Variables, mode: Mode): readonly string[] {
  if (mode === 'inproc' || mode === 'static') return [];
  const [name, line] = env.find(['function_process', 'fprocess']);
  if (line === '' && pythonLangs.includes(env.text(['lang'], ''))) return ['python3', pythonRunner];
  let command: string[];
  try {
    command = splitCommandLine(line);
  } catch (error) {
    throw wrong(name, line, error instanceof Error ? error.message : 'a command line');
  }
  if (command.length === 0 || command[0] === '') throw wrong(name, line, `the program to run, with its arguments (mode is ${mode})`);
  return command;
}

function readUpstream(env: Variables): URL | undefined {
  const [name, text] = env.find(['http_upstream_url', 'upstream_url']);
  if (text === '') return undefined;
  const expected = 'an absolute http:// or https:// URL such as http://127.0.0.1:3000';
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) throw wrong(name, text, expected);
  const url = new URL(text);
  if (url.search !== '' || url.hash !== '' || url.username !== '') throw wrong(name, text, `${expected}, without query or user`);
  return url.port === '0' ? undefined : url;
}

function readMaxLogLine(env: Variables): number {
  const [name, text] = env.find(['log_buffer_size']);
  if (text === '-1') return Infinity;
  const bytes = env.integer([name], 65_536, 1, Number.MAX_SAFE_INTEGER, 'a whole number of at least 1, or -1 for no limit');
  return bytes;
}

/** Finds and parses variables; of several names for one setting the first that is set counts. */
class Variables {
  constructor(readonly environment: NodeJS.ProcessEnv) {}

  /** The name that is set and its value; the last name and '' when none is. */
  find(names: readonly string[]): [name: string, value: string] {
    for (const name of names) {
      const value = this.environment[name]?.trim() ?? '';
      if (value !== '') return [name, value];
    }
    return [names.at(-1) ?? '', ''];
  }

  text(names: readonly string[], fallback: string): string {
    const [, value] = this.find(names);
    return value === '' ? fallback : value;
  }

  integer(names: readonly string[], fallback: number, min: number, max: number, expected?: string): number {
    const [name, value] = this.find(names);
    if (value === '') return fallback;
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (number >= min && number <= max) return number;
    throw wrong(name, value, expected ?? (max === Number.MAX_SAFE_INTEGER ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`));
  }

  duration(names: readonly string[], fallback: string): number {
    const [name, value] = this.find(names);
    const ms = parseDuration(value === '' ? fallback : value);
    if (ms === undefined) throw wrong(name, value, 'a duration such as 30s, 2m or 500ms, or plain seconds');
    return ms;
  }

  flag(names: readonly string[], fallback: boolean): boolean {
    const [name, value] = this.find(names);
    if (value === '') return fallback;
    if (value === 'true' || value === '1') return true;
    if (value === 'false' || value === '0') return false;
    throw wrong(name, value, 'true or false');
  }

  path(names: readonly string[]): string {
    const [name, value] = this.find(names);
    if (value === '' || /^\/[\u0021-\u007e]*$/.test(value)) return value;
    throw wrong(name, value, 'a path that starts with /');
  }
}

function wrong(name: string, value: string, expected: string): SettingsError {
  return new SettingsError(value === '' ? `${name} is not set: expected ${expected}` : `${name}=${value}: expected ${expected}`);
}
