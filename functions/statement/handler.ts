/**
 * POST {"customer": 7, "month": "2026-10"} renders the customer's statement as a PDF, stores it in S3 and answers where.
 *
 * Made to be called by a queue, which may deliver a call twice: the object's key is derived from customer and month, so
 * a second run writes the same object again. Bad input is a 4xx, which is final; a database or store that is away is a
 * 503, which the queue tries again.
 */
import { type Database, openEmbedded, openPostgres, readAccountMonth } from './database.ts';
import { StatementError } from './errors.ts';
import { parseStatementRequest } from './request.ts';
import { buildStatement } from './statement.ts';
import type { Store } from './upload.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface StatementFunction {
  fetch(request: Request): Promise<Response>;
  close(): Promise<void>;
}

/** How to open what the function needs. */
export interface Parts {
  database(): Promise<Database>;
  store(): Promise<Store>;
}

/** Opens nothing yet: the database, the PDF library and the S3 client load at the first call, so that the function is ready at once. */
export function statementFunction(parts: Parts): StatementFunction {
  const database = lazily(parts.database);
  const store = lazily(parts.store);

  async function answer(request: Request): Promise<Response> {
    if (request.method !== 'POST') {
      return Response.json(errorBody('method_not_allowed', 'expected POST'), { status: 405, headers: { Allow: 'POST' } });
    }
    const asked = parseStatementRequest(await request.text());
    const month = await readAccountMonth(await database.get(), asked);
    const { renderStatement } = await import('./render-statement.ts');
    const { pdf, pages } = renderStatement(buildStatement(month));
    const key = `customer-${String(month.customer.id).padStart(6, '0')}/${month.month}.pdf`;
    const url = await (await store.get()).put(key, pdf, request.signal);
    return Response.json({ customer: month.customer.id, month: month.month, url, pages, transactions: month.entries.length });
  }

  return {
    async fetch(request) {
      try {
        return await answer(request);
      } catch (error) {
        if (!(error instanceof StatementError)) throw error;
        // The caller learns what to do, the log what was wrong.
        if (error.status >= 500) console.error(`call ${request.headers.get('x-call-id') ?? 'none'}: ${error.message} (${String(error.cause)})`);
        return Response.json(errorBody(error.code, error.message), { status: error.status });
      }
    },
    async close() {
      (await store.opened())?.close();
      await (await database.opened())?.close();
    },
  };
}

/** stack.yml says what each variable is for. An empty one counts as absent, which is what an unset `${NAME}` becomes there. */
export function partsFrom(env: Environment): Parts {
  return {
    database: () => (env.DATABASE_URL ? openPostgres(env.DATABASE_URL) : openEmbedded(env.PGLITE_DIR || undefined)),
    async store() {
      const { openStore } = await import('./upload.ts');
      return openStore({
        endpoint: env.S3_ENDPOINT || undefined,
        bucket: env.S3_BUCKET || 'statements',
        region: env.S3_REGION || 'us-east-1',
        pathStyle: env.S3_PATH_STYLE ? env.S3_PATH_STYLE === 'true' : Boolean(env.S3_ENDPOINT),
        secretsDir: env.secret_mount_path || '/var/openfaas/secrets',
        accessKeyId: env.AWS_ACCESS_KEY_ID || undefined,
        secretAccessKey: env.AWS_SECRET_ACCESS_KEY || undefined,
      });
    },
  };
}

function errorBody(code: string, message: string): { error: { code: string; message: string } } {
  return { error: { code, message } };
}

interface Lazy<T> {
  get(): Promise<T>;
  /** What has been opened, if anything has. */
  opened(): Promise<T | undefined>;
}

/** Opens once, however many calls arrive meanwhile; what failed to open is tried again by the next call. */
function lazily<T>(open: () => Promise<T>): Lazy<T> {
  let opening: Promise<T> | undefined;
  return {
    get() {
      opening ??= open().catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
      return opening;
    },
    opened: async () => opening,
  };
}

export default statementFunction(partsFrom(process.env));
