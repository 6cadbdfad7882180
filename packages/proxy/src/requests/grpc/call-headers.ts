/** Heads of HTTP/2 as names and values in turn, which the other parts of the proxy read, and back. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { passedOn, type RawHeaders } from '../../head/raw-headers.ts';

/** Without the pseudo-headers. */
export function rawOf(headers: IncomingHttpHeaders): string[] {
  const raw: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(':') || value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) raw.push(name, one);
  }
  return raw;
}

export function headersOf(raw: RawHeaders): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = {};
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    const value = raw[i + 1] ?? '';
    const before = headers[name];
    headers[name] = before === undefined ? value : [before, value].flat();
  }
  return headers;
}

/** The headers or trailers of an app, as the client receives them. */
export function answeredHeaders(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const raw = passedOn(rawOf(headers), (name, value) => (isForClients(name) ? value : null));
  return headersOf(raw);
}

/** The gateway sets its own date and name. */
const isForClients = (name: string) =>
  name !== 'date' && name !== 'server' && !name.startsWith('x-dstack-');
