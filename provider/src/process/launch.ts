/**
 * A specification as a watchdog's environment: what a replica is started with, and which functions can be started at all.
 * Not here: starting it (replica.ts), the watchdog's own settings (the watchdog's settings.ts).
 */
import { statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InvalidFunction } from '../errors.js';
import { handlerAnnotation, langAnnotation } from '../function-rules.js';
import type { FunctionSpec } from '../provider.js';
import { parseMemory } from '../quantity.js';

/** How a language's code runs here: in the watchdog itself, under a runner the watchdog brings, or as a program of its own. */
type Kind = 'in-process' | 'runner' | 'program';

const languages: Readonly<Record<string, Kind>> = {
  node: 'in-process', web: 'in-process', node18: 'in-process', node20: 'in-process', node22: 'in-process',
  'python3-http': 'runner', 'python3-http-debian': 'runner',
  dockerfile: 'program', none: 'program',
};

/** What a function may know of the machine. The gateway's own variables (NATS_URL, credentials …) are none of its business. */
const inherited = [
  'PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TMPDIR', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR',
  'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy',
];

/** Node's own channel to its parent; a function that set these would cut itself off. */
const reserved = new Set(['NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE', 'NODE_UNIQUE_ID']);

export interface Launch {
  /** The handler's folder, so that it finds its files; absent: where the provider runs. */
  readonly cwd?: string;
  readonly env: Readonly<Record<string, string>>;
  /** Node's own options for the watchdog. */
  readonly execArgv: readonly string[];
  readonly memoryLimit?: MemoryLimit;
}

export interface MemoryLimit {
  readonly bytes: number;
  /** As the user wrote it. */
  readonly text: string;
  /** The watchdog counts where it is the function itself; beside a program it is ours, not the function's. */
  readonly countsWatchdog: boolean;
}

function languageOf(spec: FunctionSpec): { readonly lang: string; readonly kind: Kind } {
  // `node22@1.2.0` pins a template for the build; it is the same language.
  const lang = (spec.annotations[langAnnotation] ?? 'none').split('@', 1)[0] ?? '';
  const kind = Object.hasOwn(languages, lang) ? languages[lang] : undefined;
  if (kind !== undefined) return { lang, kind };
  throw new InvalidFunction(`function ${spec.name}: the process provider cannot run lang ${JSON.stringify(lang)}; it knows ${Object.keys(languages).join(', ')}`);
}

/** @throws {InvalidFunction} this driver cannot start such a function, and why */
export async function assertRunnable(spec: FunctionSpec): Promise<void> {
  const { lang, kind } = languageOf(spec);
  const handler = spec.annotations[handlerAnnotation];
  if (kind !== 'program' && handler === undefined) throw new InvalidFunction(`function ${spec.name}: lang ${lang} needs a handler (a folder)`);
  if (handler !== undefined && !await stat(handler).then(() => true, () => false)) {
    throw new InvalidFunction(`function ${spec.name}: handler ${handler} does not exist`);
  }
  const { fprocess, function_process: functionProcess, mode } = spec.envVars;
  if (kind === 'program' && spec.envProcess === '' && !fprocess && !functionProcess && mode !== 'static') {
    throw new InvalidFunction(`function ${spec.name}: the process provider starts programs and local handlers, not images: set fprocess, or lang and handler`);
  }
}

/**
 * @param base - the provider's own environment; only what every program needs is passed on
 * @param secretsFolder - where this replica finds its secrets, one file each
 * @throws {InvalidFunction}
 */
export function launchOf(spec: FunctionSpec, base: NodeJS.ProcessEnv, secretsFolder: string): Launch {
  const { lang, kind } = languageOf(spec);
  const handler = spec.annotations[handlerAnnotation];
  const env: Record<string, string> = {};
  for (const name of inherited) {
    const value = base[name];
    if (value !== undefined) env[name] = value;
  }
  for (const [name, value] of Object.entries(spec.envVars)) {
    if (!reserved.has(name)) env[name] = value;
  }
  Object.assign(env, {
    OPENFAAS_NAME: spec.name, OPENFAAS_NAMESPACE: spec.namespace, secret_mount_path: secretsFolder,
    // Many replicas share this machine: each takes any free port, on loopback, and tells it.
    HOST: '127.0.0.1', port: '0', metrics_port: '0',
  });
  if (kind === 'program') {
    if (spec.envProcess !== '') env['fprocess'] = spec.envProcess;
  } else if (handler !== undefined) {
    Object.assign(env, { lang, handler });
  }
  const memoryLimit = memoryLimitOf(spec, kind);
  return {
    env,
    // V8 collects in time when it knows; what it cannot know of (buffers, threads) the watch sees.
    execArgv: memoryLimit?.countsWatchdog ? [`--max-old-space-size=${Math.max(16, Math.floor(memoryLimit.bytes / 2 ** 20 * 0.75))}`] : [],
    ...(memoryLimit ? { memoryLimit } : {}),
    ...(handler === undefined ? {} : { cwd: statSync(handler).isDirectory() ? handler : dirname(handler) }),
  };
}

function memoryLimitOf(spec: FunctionSpec, kind: Kind): MemoryLimit | undefined {
  const text = spec.limits.memory;
  const bytes = text === undefined ? undefined : parseMemory(text);
  return text === undefined || bytes === undefined ? undefined : { bytes, text, countsWatchdog: kind === 'in-process' };
}
