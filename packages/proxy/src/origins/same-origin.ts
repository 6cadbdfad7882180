import type { IncomingMessage } from 'node:http';

/**
 * Whether a request may use the cookie of a service. Browsers send it from pages of other services too,
 * since all of them are of one site: only the service's own pages may do more than follow a link.
 */
export function mayUseSession({ method = 'GET', headers }: IncomingMessage, own: string): boolean {
  const { origin } = headers;
  if (origin !== undefined) return origin === own;
  const isReading = (method === 'GET' || method === 'HEAD') && headers.upgrade === undefined;
  if (!isReading) return false;
  // Browsers send these headers to encrypted and local addresses only.
  const site = headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return true;
  return headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
}

/** Whether a person has opened the address in a browser. */
export function isNavigation({ method, headers }: IncomingMessage): boolean {
  if (method !== 'GET' || headers.upgrade !== undefined) return false;
  if (headers.authorization !== undefined) return false;
  const mode = headers['sec-fetch-mode'];
  if (mode !== undefined) return mode === 'navigate' && headers['sec-fetch-dest'] === 'document';
  return headers.accept?.includes('text/html') === true;
}
