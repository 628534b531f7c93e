/**
 * Where a code becomes a status, for every error the provider's server answers. What nobody foresaw is a 500 without
 * details, and an error line in the log.
 */
import type { ErrorRequestHandler } from 'express';
import type { Logger } from 'pino';
import { ProviderError } from '../errors.js';
import { answerError } from '../http-answer.js';

/** The request itself is wrong: a value is missing or of the wrong shape. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
  readonly code = 'bad_request';
}

/** As OpenFaaS's providers, which single the log query out. */
export class BadLogQuery extends Error {
  override readonly name = 'BadLogQuery';
  readonly code = 'bad_log_query';
}

type Foreseen = ProviderError | BadRequest | BadLogQuery;

const status = {
  bad_request: 400,
  invalid_function: 400,
  function_not_found: 404,
  function_exists: 409,
  bad_log_query: 422,
  provider_unavailable: 503,
} satisfies Record<Foreseen['code'], number>;

/** Express's last handler. */
export function errorAnswer(log: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    if (response.headersSent) {
      // Half an answer is on its way: only a broken connection tells the client that the rest will not come.
      log.warn({ err: error, method: request.method, path: request.path }, 'an answer broke off');
      response.destroy();
    } else if (error instanceof ProviderError || error instanceof BadRequest || error instanceof BadLogQuery) {
      answerError(response, status[error.code], error.code, error.message);
    } else if (isBodyError(error)) {
      answerError(response, error.status, error.status === 413 ? 'body_too_large' : 'bad_request', error.message);
    } else {
      log.error({ err: error, method: request.method, path: request.path }, 'a request failed for an unknown reason');
      answerError(response, 500, 'internal_error', 'the provider failed; its log says why');
    }
  };
}

/** What Express's body reader and router throw: the client's fault, a status of its own, a message fit to be shown. */
function isBodyError(error: unknown): error is Error & { readonly status: number } {
  return error instanceof Error && 'status' in error && typeof error.status === 'number' && error.status >= 400 && error.status < 500;
}
