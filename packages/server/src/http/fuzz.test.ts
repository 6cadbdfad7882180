/**
 * Requests that are nearly valid: recorded requests of official clients, changed at random places.
 * A failure prints the seed and path with which fast-check repeats it.
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { interpolate, placeholders, substitute } from '@dstack/contract';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callerAddress } from '../callers/caller-address.ts';
import { bearerToken } from '../callers/identity.ts';
import { LOCAL_OFFER } from './testing/offers.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

/** Runs as many cases as possible in this time; `FUZZ_SECONDS` extends it. */
const BOUNDED = {
  numRuns: 1_000_000,
  interruptAfterTimeLimit: Number(process.env.FUZZ_SECONDS ?? 1) * 1000,
  markInterruptAsFailure: false,
};

interface Exchange {
  readonly path: string;
  readonly request: unknown;
}

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../testdata/http/${name}`, import.meta.url), 'utf8'));

const recorded = read('recorded-flows.json') as Readonly<
  Record<string, readonly (Exchange & { readonly request_type?: string })[]>
>;
const matrix = read('permission-matrix.json') as readonly (Exchange & {
  readonly method: string;
})[];
const cases = read('api-cases.json') as readonly {
  readonly path: string;
  readonly body?: unknown;
}[];

/** They would delete the project or the token that the others need. */
const ENDING =
  /\/users\/(update|refresh_token|delete)|\/projects\/(delete|\w+\/(set|remove)_members)/;

/** One of each form. */
const exchanges = [
  ...new Map(
    [
      ...Object.values(recorded)
        .flat()
        .filter(({ request_type }) => request_type === undefined),
      ...matrix.filter(({ method }) => method === 'POST'),
      ...cases.map(({ path, body }) => ({ path, request: body ?? null })),
    ]
      .filter(({ path, request }) => request !== null && !ENDING.test(path))
      .map(({ path, request }) => ({ path: path.replace('{project_name}', 'main'), request }))
      .map((one) => [`${one.path} ${JSON.stringify(one.request).length >> 6}`, one]),
  ).values(),
];

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ failedLoginsPerMinute: 5, trustedProxies: ['loopback'] });
  server.offers.push(LOCAL_OFFER);
});
afterAll(() => server.close());

const scalar = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    1.5,
    1e18,
    2 ** 53,
    '',
    ' ',
    '1',
    '-1',
    'auto',
    'a/b',
  ),
  fc.constantFrom<unknown>(
    '1..2',
    '..',
    '8GB..',
    'A100:1:40GB',
    '${{ secrets.x }}',
    '${{',
    '}}',
    '$$',
  ),
  fc.constantFrom<unknown>(
    '__proto__',
    'constructor',
    'toString',
    '../..',
    '/',
    '~',
    '\\',
    "'",
    '"',
  ),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.double(),
);
const odd = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 4 }),
  fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('name', 'type', 'toString')), scalar, {
    maxKeys: 3,
  }),
  fc.jsonValue({ maxDepth: 2 }),
);

type Path = (string | number)[];

function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const inner = Object.entries(value).flatMap(([key, item]) =>
    pathsOf(item, [...path, Array.isArray(value) ? Number(key) : key]),
  );
  return [path, ...inner];
}

function changed(value: unknown, path: Path, instead: unknown): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return instead;
  if (Array.isArray(value)) {
    return value.map((item, index) => (index === first ? changed(item, rest, instead) : item));
  }
  const map = value as Record<string, unknown>;
  return { ...map, [first]: changed(map[String(first)], rest, instead) };
}

describe('nearly valid requests', () => {
  it('are answered without a failure of the server', async () => {
    const change = fc.tuple(fc.nat(), odd);
    const inputs = fc.tuple(
      fc.constantFrom(...exchanges),
      fc.array(change, { minLength: 1, maxLength: 3 }),
    );
    await fc.assert(
      fc.asyncProperty(inputs, async ([{ path, request }, changes]) => {
        let body = request;
        for (const [at, instead] of changes) {
          const paths = pathsOf(body);
          body = changed(body, paths[at % paths.length] ?? [], instead);
        }
        const raw = JSON.stringify(body) ?? 'null';
        const answer = await server.call(path, undefined, { raw });
        if (answer.status >= 500) throw new Error(`${path} ${answer.status}: ${raw}`);
      }),
      BOUNDED,
    );
  });

  it('with any Authorization are answered as unauthenticated', async () => {
    const word = fc.oneof(
      fc.constantFrom('Bearer', 'bearer', 'BEARER ', 'Basic', ' ', '  ', '\t', 'dstack_st_', ','),
      fc.string({ maxLength: 12 }).filter((text) => /^[\x20-\x7e]*$/.test(text)),
      fc.constant('admin-token'),
    );
    const header = fc.array(word, { maxLength: 5 }).map((words) => words.join(''));
    await fc.assert(
      fc.asyncProperty(header, async (authorization) => {
        const options = { token: null, headers: { authorization } };
        const { status } = await server.call('/api/users/get_my_user', undefined, options);
        const token = bearerToken(authorization);
        const expected = token === null ? [401] : token === 'admin-token' ? [200] : [403, 429];
        expect(expected).toContain(status);
      }),
      BOUNDED,
    );
  });
});

describe('headers of proxies', () => {
  it('are parsed to an address, or ignored', () => {
    const part = fc.oneof(
      fc.constantFrom(
        '1.2.3.4',
        '::1',
        '2001:db8::1',
        '[::1]:80',
        '1.2.3.4:5',
        'unknown',
        '_x',
        '',
      ),
      fc.string({ maxLength: 10 }),
      fc.ipV4(),
      fc.ipV6(),
    );
    const chain = fc.array(part, { maxLength: 6 }).map((parts) => parts.join(', '));
    const trusting = callerAddress(['loopback', '10.0.0.0/8']);
    fc.assert(
      fc.property(chain, fc.constantFrom('127.0.0.1', '192.0.2.1'), (forwarded, remoteAddress) => {
        const headers = { 'x-forwarded-for': forwarded };
        const request = { headers, socket: { remoteAddress } } as unknown as IncomingMessage;
        const address = trusting(request);
        expect(isIP(address)).not.toBe(0);
        if (remoteAddress === '192.0.2.1') expect(address).toBe(remoteAddress);
      }),
      BOUNDED,
    );
  });
});

describe('references in texts', () => {
  const unit = fc.constantFrom('$', '{', '}', '${{', '}}', ' ', 'a', '.', 'env', '[0]', '\n');
  /** Two dollars mean one, which may then start what looks like a reference. */
  const texts = fc.string({ unit, maxLength: 60 }).filter((text) => !text.includes('$$'));

  it('are replaced or refused, never partly replaced', () => {
    const namespaces = { env: { a: 'X' }, a: { a: 'Y' } };
    fc.assert(
      fc.property(texts, (text) => {
        const result = interpolate(text, namespaces, ['env']);
        if (result.ok)
          expect(placeholders(result.text).every((one) => /env/.test(one.inner))).toBe(true);
        else expect(result.error).not.toBe('');
      }),
      BOUNDED,
    );
  });

  it('that are kept leave the text unchanged', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const result = substitute(text, () => 'keep');
        if (result.ok) expect(result.text).toBe(text);
      }),
      BOUNDED,
    );
  });
});
