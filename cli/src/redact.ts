/** URLs as they may be shown: without user and password. */

/** @param urls - one, or several of one cluster, separated by commas; with or without a scheme */
export function withoutCredentials(urls: string): string {
  return urls.split(',').map((url) => {
    const [, scheme = '', rest = ''] = /^([a-z]+:\/\/)?(.*)$/is.exec(url.trim()) ?? [];
    return scheme + rest.slice(rest.lastIndexOf('@') + 1);
  }).join(',');
}
