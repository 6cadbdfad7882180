/**
 * Path and query of a URL in absolute form, which clients send to proxies and may send to every server (RFC 9112
 * §3.2.2). Its host is not read: that of the header `Host` is the one that is checked.
 */
export function originForm(url: string): string {
  return url.startsWith('/') ? url : `/${url.replace(/^[a-z]+:\/\/[^/?]*\/?/i, '')}`;
}
