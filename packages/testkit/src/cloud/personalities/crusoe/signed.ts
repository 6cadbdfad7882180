import { createHmac, timingSafeEqual } from 'node:crypto';
import type { CloudRequest } from '../../request.ts';

/** `apiKey`: `<access key>:<secret key>`. By the provider's documentation of signatures. */
export function isSigned({ method, path, query, headers }: CloudRequest, apiKey: string): boolean {
  const [accessKey = '', secretKey = ''] = apiKey.split(':');
  const [, own, signature = ''] =
    /^Bearer 1\.0:([^:]+):(.+)$/.exec(textOf(headers.authorization)) ?? [];
  const at = textOf(headers['x-crusoe-timestamp']);
  if (own !== accessKey || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/.test(at)) return false;
  const parameters = query.toString().split('&').toSorted().join('&');
  const expected = createHmac('sha256', Buffer.from(secretKey, 'base64url'))
    .update(`${path}\n${parameters}\n${method}\n${at}\n`)
    .digest();
  const given = Buffer.from(signature, 'base64url');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

const textOf = (header: string | string[] | undefined): string =>
  typeof header === 'string' ? header : '';
