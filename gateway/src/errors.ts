/**
 * What the gateway itself refuses, and the one place where a code of ours becomes an HTTP status.
 * A code without a status does not compile.
 */
import type { ProviderError } from '@postern/provider';
import type { BadCallbackUrl, QueueError } from '@postern/queue';

export type GatewayCode =
  | 'function_not_found' | 'bad_request' | 'bad_call' | 'bad_function_name' | 'method_not_allowed' | 'body_aborted' | 'headers_too_large' | 'request_timeout'
  | 'answer_too_large' | 'replica_unreachable' | 'replica_failed' | 'upstream_timeout' | 'no_replica_ready';

/** A refusal or failure with its own words for the caller. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  constructor(readonly code: GatewayCode, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

export type Code = GatewayCode | QueueError['code'] | ProviderError['code'] | BadCallbackUrl['code'];

export const statusOf = {
  bad_request: 400, bad_call: 400, bad_function_name: 400, bad_callback_url: 400, body_aborted: 400, invalid_function: 400,
  function_not_found: 404, method_not_allowed: 405, request_timeout: 408, function_exists: 409,
  body_too_large: 413, answer_too_large: 413, queue_full: 429, headers_too_large: 431,
  replica_unreachable: 502, replica_failed: 502,
  queue_unavailable: 503, provider_unavailable: 503,
  upstream_timeout: 504, no_replica_ready: 504,
} satisfies Record<Code, number>;

/** Worth another try a little later: answered with `Retry-After`. */
export const retryAfterSeconds: Partial<Record<Code, number>> = {
  queue_full: 5, queue_unavailable: 2, provider_unavailable: 2,
};
