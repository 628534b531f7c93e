/** What a provider refuses, one class and one stable code each; the edge turns codes into statuses in one place. */

export abstract class ProviderError extends Error {
  abstract readonly code: 'function_not_found' | 'function_exists' | 'invalid_function' | 'provider_unavailable';
}

export class FunctionNotFound extends ProviderError {
  override readonly name = 'FunctionNotFound';
  readonly code = 'function_not_found';
}

export class FunctionExists extends ProviderError {
  override readonly name = 'FunctionExists';
  readonly code = 'function_exists';
}

/** The specification is wrong, or this driver cannot run it; the message says what to change. */
export class InvalidFunction extends ProviderError {
  override readonly name = 'InvalidFunction';
  readonly code = 'invalid_function';
}

/** A remote provider does not answer. */
export class ProviderUnavailable extends ProviderError {
  override readonly name = 'ProviderUnavailable';
  readonly code = 'provider_unavailable';
}
