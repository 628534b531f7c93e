/**
 * Basic authentication as OpenFaaS has it: one user, two secret files, and `Basic realm="Restricted"`.
 * The gateway and the provider's server ask for it, the remote driver answers it.
 * Not here: what a server without credentials does instead (browser-guard.ts).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Credentials } from '@postern/settings';
import { answerError, type Middleware } from './http-answer.js';

/**
 * A check that takes as long for a near miss as for a wild guess: digests are compared, and always both of them.
 * @returns whether an `Authorization` header carries these credentials
 */
export function basicAuthCheck(credentials: Credentials): (header: string | undefined) => boolean {
  const user = digest(credentials.user);
  const password = digest(credentials.password);
  return (header) => {
    const encoded = /^basic +([a-z0-9+/]+=*)$/i.exec(header ?? '')?.[1];
    if (encoded === undefined) return false;
    const given = Buffer.from(encoded, 'base64').toString('utf8');
    const colon = given.indexOf(':');
    if (colon === -1) return false;
    const userMatches = timingSafeEqual(digest(given.slice(0, colon)), user);
    const passwordMatches = timingSafeEqual(digest(given.slice(colon + 1)), password);
    return userMatches && passwordMatches;
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Answers 401 unless the request carries the credentials. */
export function requireBasicAuth(credentials: Credentials): Middleware {
  const matches = basicAuthCheck(credentials);
  return (request, response, next) => {
    if (matches(request.headers.authorization)) return next();
    response.setHeader('WWW-Authenticate', 'Basic realm="Restricted"');
    answerError(response, 401, 'unauthorized', 'invalid credentials');
  };
}
