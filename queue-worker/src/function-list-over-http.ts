/**
 * What is deployed, asked of the gateway again and again: its namespaces, and the functions of each. While the gateway is away the last
 * list stays in force. Functions are told only when something has changed.
 */
import { type Credentials, basicAuthHeader } from '@postern/settings';
import type { Logger } from 'pino';
import { Agent } from 'undici';
import { z } from 'zod';
import { Deadlines } from './deadlines.js';
import type { DeployedFunction, FunctionList } from './function-list.js';
import { exchange } from './http-exchange.js';

export interface FunctionListOverHttpOptions {
  /** Without a slash at its end; may have a path of its own. */
  readonly gatewayUrl: string;
  readonly credentials?: Credentials;
  readonly log: Logger;
  readonly everyMs?: number;
}

const functionsSchema = z.array(z.object({
  name: z.string().min(1),
  namespace: z.string().default('openfaas-fn'),
  annotations: z.record(z.string(), z.string()).nullish().transform((annotations) => annotations ?? {}),
}));

const namespacesSchema = z.array(z.string());

const maxListBytes = 64 * 1024 * 1024;
const timeoutMs = 10_000;

export function functionListOverHttp({ gatewayUrl, credentials, log, everyMs = 2_000 }: FunctionListOverHttpOptions): FunctionList {
  const { origin, pathname } = new URL(gatewayUrl);
  const headers = ['Accept', 'application/json'];
  if (credentials) headers.push('Authorization', basicAuthHeader(credentials));
  const prefix = `${pathname.replace(/\/$/, '')}/system`;

  return {
    watch(listener) {
      const agent = new Agent({ connections: 1, pipelining: 1, connect: { timeout: 5_000 } });
      const deadlines = new Deadlines();
      const ended = new AbortController();
      const { signal } = ended;
      let known = '';
      let away = false;
      let timer: NodeJS.Timeout | undefined;

      const read = async (path: string): Promise<unknown> => {
        const whenLonger = () => new Error(`The list is longer than ${maxListBytes} bytes.`);
        const limits = { timeoutMs, timeoutMessage: `No answer within ${timeoutMs} ms.`, maxBodyBytes: maxListBytes, whenLonger, signal };
        const answer = await exchange(agent, { origin, target: prefix + path, method: 'GET', headers, body: new Uint8Array() }, limits, deadlines);
        if (answer.status !== 200) throw new Error(`The gateway answered ${answer.status}.`);
        return JSON.parse(Buffer.from(answer.body).toString('utf8')) as unknown;
      };
      const ask = async (): Promise<void> => {
        try {
          const functions: DeployedFunction[] = [];
          for (const namespace of namespacesSchema.parse(await read('/namespaces'))) {
            functions.push(...functionsSchema.parse(await read(`/functions?namespace=${encodeURIComponent(namespace)}`)));
          }
          if (signal.aborted) return;
          if (away) log.info({ gateway: origin }, 'list of functions read again');
          away = false;
          const now = JSON.stringify(functions);
          if (now !== known) listener(functions);
          known = now;
        } catch (error) {
          if (signal.aborted) return;
          if (!away) log.warn({ gateway: origin, err: error }, 'list of functions cannot be read, the last one stays in force');
          away = true;
        }
        timer = setTimeout(() => { void ask(); }, everyMs);
      };
      void ask();

      return () => {
        ended.abort(new Error('watch ended'));
        clearTimeout(timer);
        void agent.destroy();
      };
    },
  };
}
