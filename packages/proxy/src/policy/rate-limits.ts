/** Which rate limit of a service applies to a request, and whether it is exceeded. */
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { ServiceConfiguration } from '@dstack/contract/wire';
import { type RawHeaders, valuesOf } from '../head/raw-headers.ts';
import { ProxyRefusal } from '../refusals/refusal.ts';

export type RequestLimit = ServiceConfiguration['rate_limits'][number];

/** By what requests belong together. */
export type RequestKey = RequestLimit['key'];

/** Requests per second, and how many may exceed that at a time. */
export interface Rate {
  readonly rps: number;
  readonly burst: number;
}

/**
 * Counts a request to this service under this key. Returns 0 if it is allowed, else the number of seconds
 * after which the next one will be.
 */
export type TakeRate = (key: string, rate: Rate, service: string) => number | Promise<number>;

/** The part of one process in a limit that several processes share. */
export interface TakenRate {
  /** Requests that are allowed now. */
  readonly granted: number;
  /** Milliseconds until the next one is; 0 = all that were asked for are allowed. */
  readonly waitMs: number;
}

/** The limit with the longest prefix of this path, as it was sent; null = none applies. */
export function limitOf(limits: readonly RequestLimit[], path: string): RequestLimit | null {
  if (limits.length === 0) return null;
  const resolved = resolvedPath(path);
  let found: RequestLimit | null = null;
  for (const limit of limits) {
    if (!resolved.startsWith(limit.prefix)) continue;
    if (found === null || limit.prefix.length > found.prefix.length) found = limit;
  }
  return found;
}

export interface Limited {
  readonly runId: string;
  readonly limit: RequestLimit;
  readonly request: Pick<IncomingMessage, 'rawHeaders'>;
  readonly address: string;
}

/** Null: the request lacks the header that is the key, so it is not counted. */
export function rateKey({ runId, limit, request, address }: Limited): string | null {
  const value = keyValue(limit.key, request, address);
  if (value === null) return null;
  return hash('sha256', `${runId}\n${limit.prefix}\n${limit.key.type}\n${value}`, 'base64');
}

/** Null: the request lacks the header. */
export function keyValue(
  key: RequestKey,
  request: Pick<IncomingMessage, 'rawHeaders'>,
  address: string,
): string | null {
  return key.type === 'header' ? header(request.rawHeaders, key.header) : address;
}

export function rateExceeded({ prefix, rps }: RequestLimit, waitSeconds: number): ProxyRefusal {
  const retryAfter = Math.max(1, Math.ceil(waitSeconds));
  const text = `Too many requests: the service allows ${rps} per second to ${prefix}`;
  return new ProxyRefusal(429, text, { code: 'rate_limited', retryAfter });
}

function header(raw: RawHeaders, name: string): string | null {
  const values = valuesOf(raw, name.toLowerCase());
  return values.length === 0 ? null : values.join(', ');
}

/** Returns the path that apps read: decoded, without empty, `.` and `..` parts, and without the query. */
function resolvedPath(path: string): string {
  const [plain = ''] = path.split('?', 1);
  if (!/%|\/\/|\/\.|[\x80-\xff]/.test(plain)) return plain === '' ? '/' : plain;
  const parts: string[] = [];
  const given = decoded(plain).split('/');
  for (const part of given) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  const last = given.at(-1) ?? '';
  const isFolder = ['', '.', '..'].includes(last) && parts.length > 0;
  return `/${parts.join('/')}${isFolder ? '/' : ''}`;
}

/**
 * Byte by byte: apps replace what is no UTF-8, or read another encoding, so one invalid byte must not keep
 * the rest encoded.
 */
function decoded(path: string): string {
  const bytes = path.replace(/%([0-9a-f]{2})/gi, (_, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
