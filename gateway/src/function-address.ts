/**
 * Which function a request line names: `/function/NAME[.NAMESPACE][/path][?query]`, and the same under
 * `/async-function`. Path and query are kept to the byte (`%2F`, `//`): they are the function's business.
 */
import type { FunctionRef } from '@postern/provider';

export interface FunctionAddress extends FunctionRef {
  /** `name.namespace`. */
  readonly key: string;
  /** Empty, or beginning with `/`. */
  readonly path: string;
  /** Without the `?`. */
  readonly query: string;
}

const allowed = /^[-a-zA-Z_0-9.]+$/;

/**
 * @param rest - the request target behind `/function/` or `/async-function/`
 * @returns `undefined` when no name of OpenFaaS's characters stands there
 */
export function parseFunctionAddress(rest: string, defaultNamespace: string): FunctionAddress | undefined {
  const question = rest.indexOf('?');
  const pathEnd = question < 0 ? rest.length : question;
  const slash = rest.indexOf('/');
  const nameEnd = slash < 0 || slash > pathEnd ? pathEnd : slash;
  const full = rest.slice(0, nameEnd);
  if (!allowed.test(full)) return undefined;
  const dot = full.lastIndexOf('.');
  const name = dot < 0 ? full : full.slice(0, dot);
  const namespace = dot < 0 ? defaultNamespace : full.slice(dot + 1);
  if (name === '' || namespace === '') return undefined;
  return {
    name, namespace, key: `${name}.${namespace}`,
    path: rest.slice(nameEnd, pathEnd), query: question < 0 ? '' : rest.slice(question + 1),
  };
}
