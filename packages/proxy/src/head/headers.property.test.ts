import fc from 'fast-check';
import { expect, it } from 'vitest';
import { trustIn } from './forwarded.ts';
import { requestHeaders, responseHeaders } from './headers.ts';

/** For everything that Node's parser accepts; a failure prints its seed. */
const LIMITS = { numRuns: 3000, interruptAfterTimeLimit: 1500 } as const;

const FORGED = 'forged';
const OWN = 'Bearer own';

const TRICKY = [
  ...['Host', 'Connection', 'Keep-Alive', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade'],
  ...['Proxy-Connection', 'Proxy-Authorization', 'Content-Length', 'Cookie', 'Authorization'],
  ...['Forwarded', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'X-Forwarded-User'],
  ...['X-Forwarded-Prefix', 'X-Real-IP', 'X-Dstack-User', 'X-Dstack-Anything', 'X-Mine', 'X-Other'],
  ...['Set-Cookie', 'Location', 'Content-Security-Policy', 'Clear-Site-Data', 'Date', 'Server'],
];

/** Any case, with `_` in place of some `-`. */
const name = fc
  .tuple(fc.constantFrom(...TRICKY), fc.infiniteStream(fc.nat({ max: 3 })))
  .map(([text, choices]) =>
    [...text]
      .map((letter) => {
        const choice = choices.next().value ?? 0;
        if (choice === 0) return letter.toUpperCase();
        return choice === 1 && letter === '-' ? '_' : letter.toLowerCase();
      })
      .join(''),
  );

const value = fc.oneof(
  fc.constantFrom(FORGED, OWN, 'chunked', 'close', '', ' ', ',', 'a=1; Path=/', 'dstack=forged'),
  fc.array(fc.constantFrom(...TRICKY), { maxLength: 4 }).map((names) => names.join(', ')),
  fc.string({ maxLength: 20 }).map((text) => text.replaceAll(/[\r\n\0]/g, '')),
);

const raw = fc.array(fc.tuple(name, value), { maxLength: 15 }).map((pairs) => pairs.flat());

const HOP_BY_HOP =
  /^(connection|keep-alive|proxy-connection|proxy-authorization|te|trailer|transfer[-_]encoding|upgrade|expect)$/;

function pairsOf(headers: readonly string[]): (readonly [string, string])[] {
  return headers.flatMap((part, i) =>
    i % 2 === 0 ? [[part.toLowerCase(), headers[i + 1] ?? ''] as const] : [],
  );
}

it('a service never receives headers that are not for it, or that only this server may set', () => {
  const context = {
    sender: { address: '10.0.0.9', isEncrypted: false, trust: trustIn([]) },
    prefix: '/p',
    user: 'alice',
    ownValues: new Set([OWN]),
    requestId: 'id',
  };
  const check = (headers: readonly string[]) => {
    const pairs = pairsOf(requestHeaders(headers, context));
    const values = pairs.filter(([key]) => /^(forwarded|x[-_](forwarded|dstack|real))/.test(key));
    const host = pairsOf(headers).find(([key]) => key === 'host')?.[1];
    expect(values).toEqual([
      ['x-forwarded-for', '10.0.0.9'],
      ['x-forwarded-proto', 'http'],
      ...(host === undefined ? [] : [['x-forwarded-host', host]]),
      ['x-forwarded-prefix', '/p'],
      ['x-dstack-user', 'alice'],
    ]);
    expect(pairs.filter(([key]) => HOP_BY_HOP.test(key))).toEqual([]);
    expect(pairs.filter(([key, text]) => key === 'authorization' && text === OWN)).toEqual([]);
    expect(pairs.filter(([key, text]) => key === 'cookie' && /^dstack/.test(text))).toEqual([]);
  };
  fc.assert(fc.property(raw, check), LIMITS);
});

it('a service receives all other headers, in their order', () => {
  const context = {
    sender: { address: '10.0.0.9', isEncrypted: false, trust: trustIn([]) },
    ...{ prefix: null, user: null, ownValues: new Set<string>() },
    requestId: 'id',
  };
  const plain = fc
    .array(fc.tuple(fc.constantFrom('X-Mine', 'x-mine', 'Accept', 'Host', 'api_key'), value))
    .map((pairs) => pairs.flat());
  fc.assert(
    fc.property(plain, (headers) => {
      expect(requestHeaders(headers, context).slice(0, headers.length)).toEqual(headers);
    }),
    LIMITS,
  );
});

it('an answer only affects its own service', () => {
  const check = (headers: readonly string[], isStripped: boolean) => {
    const context = {
      path: '/proxy/services/main/web',
      isStripped,
      host: 'h',
      isOpenToOrigins: false,
    };
    const pairs = pairsOf(responseHeaders(headers, context));
    expect(pairs.at(-1)).toEqual(['content-security-policy', 'sandbox']);
    for (const [key, text] of pairs) {
      expect(key).not.toMatch(/^(clear-site-data|date|server|x-dstack-.*)$/);
      expect(key).not.toMatch(/^(connection|keep-alive|transfer-encoding|upgrade)$/);
      if (key !== 'set-cookie') continue;
      const paths = text.split(';').filter((part) => /^\s*path\s*=/i.test(part));
      expect(paths).toHaveLength(1);
      expect(paths[0]).toMatch(/^ Path=\/proxy\/services\/main\/web(\/|$)/);
      expect(text).not.toMatch(/;\s*domain\s*=/i);
    }
  };
  fc.assert(fc.property(raw, fc.boolean(), check), LIMITS);
});
