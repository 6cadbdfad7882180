/** nginx changes the head of an answer below the API's origin as the proxy does. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { responseHeaders, SANDBOX } from '../head/headers.ts';
import { hasLua, withLua } from './testing/lua-nginx.ts';

interface Case {
  readonly name: string;
  readonly value: string;
  readonly prefix: string;
  readonly isStripped: boolean;
  readonly host: string | null;
}

const PREFIX = '/proxy/services/main/app';
const NAMES = [
  ...[
    'Date',
    'Server',
    'Alt-Svc',
    'Clear-Site-Data',
    'Expect-CT',
    'NEL',
    'Public-Key-Pins',
    'ETag',
  ],
  ...['Public-Key-Pins-Report-Only', 'Report-To', 'Reporting-Endpoints', 'Service-Worker-Allowed'],
  ...['Set-Cookie2', 'Strict-Transport-Security', 'X-Dstack-User', 'X-Dstack', 'Content-Type'],
];
const COOKIES = [
  ...[
    'a=1',
    'a=1; Path=/',
    'a=1; path = /x ;Secure',
    'a=1; Path=/x; PATH=/y',
    'a',
    '',
    ';',
    '=1; Path',
  ],
  ...[
    'dstack_session=x',
    ' =dstack_x=1',
    '__Host-dstack=1',
    '__secure-DSTACK=2; Path=/',
    '=\xa0dstack=1',
  ],
  ...[
    '__Host-__Secure-dstack=1',
    'a=1; Domain=example.com; HttpOnly',
    'a=1; domain',
    'a==b; Path==/x',
  ],
  ...[
    `a=1; Path=${PREFIX}`,
    `a=1; Path=${PREFIX}/deep`,
    `a=1; Path=${PREFIX}er`,
    'a=1;\xa0Path=\xa0/x\xa0',
  ],
  ...['a=1; Path=relative', 'a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; SameSite=None;'],
];
const LOCATIONS = [
  ...[
    '/',
    '/x?y=/z#/',
    '//other.example/x',
    'x',
    '',
    '?q',
    '#f',
    '/?',
    'http://',
    'https:///x',
    'ftp://h/x',
  ],
  ...[
    PREFIX,
    `${PREFIX}/`,
    `${PREFIX}er`,
    `${PREFIX}?q`,
    'HTTP://Host.example/x',
    'http://host.example',
  ],
  ...[
    'http://host.example:80/x',
    'https://host.example:443/x',
    'https://host.example:80/x',
    'http:/x',
  ],
  ...[
    'http://host.example?/x',
    'http://other.example/x',
    `http://host.example${PREFIX}/x`,
    'http://host.example//x',
  ],
];
const HOSTS = ['host.example', 'HOST.example:80', 'host.example:443', 'host.example:8080', null];

/** The header that is passed on; `dropped`: none is. */
function passed({ name, value, prefix, isStripped, host }: Case): string {
  const context = { path: prefix, isStripped, host, isOpenToOrigins: false };
  const [, answered = 'dropped'] = responseHeaders([name, value], context).slice(
    0,
    -SANDBOX.length,
  );
  return answered;
}

const lineOf = ({ name, value, prefix, isStripped, host }: Case) =>
  [name, value, prefix, isStripped ? '1' : '0', host ?? ''].join('\t');

function everyCase(): Case[] {
  const values = [
    ...NAMES.map((name) => [name, 'x'] as const),
    ...COOKIES.map((value) => ['Set-Cookie', value] as const),
    ...LOCATIONS.map((value) => ['Location', value] as const),
  ];
  return values.flatMap(([name, value]) =>
    [true, false].flatMap((isStripped) =>
      HOSTS.map((host) => ({ name, value, prefix: PREFIX, isStripped, host })),
    ),
  );
}

/** Headers that are put together from parts that matter. */
const someCase = fc.record({
  name: fc.constantFrom('Set-Cookie', 'Location'),
  value: fc
    .array(
      fc.constantFrom(
        ...[
          'a',
          '=',
          ';',
          ' ',
          '/',
          '\xa0',
          'Path',
          'domain',
          'dstack',
          '__Host-',
          '__Secure-',
          '?',
          '#',
        ],
        ...[PREFIX, 'http://', 'HTTPS://', 'host.example', ':80', ':443'],
      ),
      { maxLength: 8 },
    )
    .map((parts) => parts.join('')),
  prefix: fc.constant(PREFIX),
  isStripped: fc.boolean(),
  host: fc.constantFrom(...HOSTS),
});

it.skipIf(!hasLua)('nginx confines answers below a path as the proxy does', () =>
  withLua('answers-cases', async (ask) => {
    const cases = [...everyCase(), ...fc.sample(someCase, 20_000)];
    const lines = cases.map(lineOf).join('\n');
    // Text to nginx is UTF-8, but a head is bytes: another byte stands for this one.
    const told = await ask('/', lines.replaceAll('\xa0', '\x01'));
    const answers = told.replaceAll('\x01', '\xa0').split('\n');
    const differs = cases.flatMap((one, n) =>
      answers[n] === passed(one) ? [] : [{ ...one, wanted: passed(one), got: answers[n] }],
    );
    expect([answers.length, differs.slice(0, 5)]).toEqual([cases.length, []]);
  }),
);
