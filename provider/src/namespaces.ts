/** The namespaces in use, as `/system/namespaces` lists them: names on functions, nothing is made or kept for one. */
import { ProviderUnavailable } from './errors.js';
import type { Provider } from './provider.js';

/**
 * @returns the default namespace and every one that holds a function, sorted
 * @throws {ProviderUnavailable} the provider did not tell its functions within `deadlineMs`
 */
export async function listNamespaces(provider: Provider, defaultNamespace: string, deadlineMs = 5_000): Promise<string[]> {
  let stop = (): void => undefined;
  let deadline: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve, reject) => {
      deadline = setTimeout(() => {
        reject(new ProviderUnavailable(`the provider did not tell its functions within ${deadlineMs} ms: is it running?`));
      }, deadlineMs);
      stop = provider.watch((event) => {
        if (event.kind !== 'synced') return;
        resolve([...new Set([defaultNamespace, ...event.refs.map((ref) => ref.namespace)])].sort());
      });
    });
  } finally {
    clearTimeout(deadline);
    stop();
  }
}
