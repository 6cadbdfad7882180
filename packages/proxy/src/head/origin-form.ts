/** URLs in absolute form, which clients send to proxies and may send to every server (RFC 9112 §3.2.2). */
import type { IncomingMessage } from 'node:http';

/** Path and query of a URL, in whatever form it is. */
export function originForm(url: string): string {
  return url.startsWith('/') ? url : `/${url.replace(/^[a-z]+:\/\/[^/?]*\/?/i, '')}`;
}

/**
 * Gives a request the form that clients of servers send. The host in its URL counts, and the header `Host` is replaced
 * by it, as RFC 9112 demands: both would lead to different services otherwise. Several headers of that name are left as
 * they are, since such a request is refused. Must run before anything else reads the URL or a header.
 */
export function toOriginForm(request: IncomingMessage): void {
  const { url = '/', rawHeaders } = request;
  if (url.startsWith('/')) return;
  request.url = originForm(url);
  const [, host = ''] = /^https?:\/\/([^/?#]+)/i.exec(url) ?? [];
  if (host === '') return;
  const isHost = (name: string, at: number) => at % 2 === 0 && name.toLowerCase() === 'host';
  const at = rawHeaders.findIndex(isHost);
  if (at === -1) rawHeaders.push('Host', host);
  else if (rawHeaders.filter(isHost).length === 1) rawHeaders[at + 1] = host;
  else return;
  request.headers.host = host;
}
