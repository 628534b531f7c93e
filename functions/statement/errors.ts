/**
 * Why there is no statement, and the status that says so. The status decides what the queue does: a 4xx is final,
 * a 503 is tried again.
 */
export abstract class StatementError extends Error {
  abstract readonly code: string;
  abstract readonly status: number;
}

export class BadRequest extends StatementError {
  readonly code = 'bad_request';
  readonly status = 400;
}

export class CustomerNotFound extends StatementError {
  readonly code = 'customer_not_found';
  readonly status = 404;
}

export class NoTransactions extends StatementError {
  readonly code = 'no_transactions';
  readonly status = 404;
}

export class DatabaseUnavailable extends StatementError {
  readonly code = 'database_unavailable';
  readonly status = 503;
}

export class StorageUnavailable extends StatementError {
  readonly code = 'storage_unavailable';
  readonly status = 503;
}
