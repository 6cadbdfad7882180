import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { credentialPlaces, withoutParameters } from '../head/credential-places.ts';
import { CHOSEN, TOKEN_CASES } from '../testing/token-cases.ts';
import { OwnTokens } from './own-tokens.ts';
import { marksOf, marksOfGuarded, TokenMarks } from './token-marks.ts';

const UUID = '0b8a2ef3-4a51-4c0c-9d52-7f3a3d0f1c11';
const OWN = 'b7ce8c2a-51d2-4d0c-8f0e-3a1f6f6f7c55';
const base64 = (text: string) => Buffer.from(text).toString('base64');

let known: Set<string>;
let asked: string[];
let time: number;
let isAway: boolean;
let tokens: OwnTokens;

beforeEach(() => {
  known = new Set(['alices token', OWN]);
  asked = [];
  time = 0;
  isAway = false;
  tokens = new OwnTokens({
    isToken: async (text) => {
      asked.push(text);
      if (isAway) throw new Error('away');
      return known.has(text);
    },
    settings: ['of-the-ssh-proxy', null],
    now: () => time,
    log: pino({ level: 'silent' }),
  });
});

/** The places of a request that contain a token of this server. */
const inPlaces = async (headers: readonly string[], rest = '/') => [
  ...(await tokens.inPlaces(credentialPlaces(headers, rest, tokens.marks))),
];

const isOwn = async (value: string) => (await tokens.among([value])).has(value);

describe('tokens of this server', () => {
  it.each([
    'Bearer alices token',
    'bearer  alices token ',
    'Token alices token',
    `Basic ${base64('alice:alices token')}`,
    `Basic ${base64('alices token:')}`,
    'Bearer dstack_st_whatever',
    'dstack_st_whatever',
    `Basic ${base64('x:dstack_st_whatever')}`,
    'Bearer of-the-ssh-proxy',
    'Bearer sk-1, Bearer alices token',
    'Bearer alices token,Bearer sk-1',
    `Bearer sk-1 ,basic ${base64('x:alices token')}`,
    `Bearer ${Array.from({ length: 9 }, (_, i) => `sk-${i}, Bearer `).join('')}`,
    `Bearer Bearer ${OWN}`,
    `Bearer "${OWN}"`,
    `Bearer ${OWN};x`,
    `Bearer ${OWN.toUpperCase()}`,
    `Basic ${base64(`x:y:${OWN}`)}`,
    `Bearer "dstack_st_whatever"`,
    'Bearer "alices token"',
    "Bearer 'alices token'",
    '"Bearer alices token"',
    'Bearer Bearer alices token',
    'Bearer "Bearer alices token"',
    'bearer: alices token',
    `Basic "${base64('x:alices token')}"`,
    'Digest username="alices token", realm="b", nonce="c", uri="/", response="d"',
    `Digest username="a", realm="${OWN}", nonce="c", uri="/", response="d"`,
  ])('are recognised in %j', async (value) => {
    expect(await isOwn(value)).toBe(true);
  });

  it.each(['', 'Bearer', 'Bearer sk-1', `Bearer ${UUID}`, `Basic ${base64('a:b')}`, 'Negotiate ='])(
    'are not %j',
    async (value) => {
      expect(await isOwn(value)).toBe(false);
    },
  );

  it('are not searched for in the parameters of another scheme', async () => {
    expect(await isOwn('Digest username="a", realm="b", nonce="c", uri="/", response="d"')).toBe(
      false,
    );
    expect(asked.length).toBeLessThan(3);
  });

  it('are found among several values', async () => {
    const values = ['Basic YTpi', 'Bearer alices token', 'Bearer sk-1'];
    expect([...(await tokens.among(values))]).toEqual(['Bearer alices token']);
    expect([...(await tokens.among([]))]).toEqual([]);
  });

  it('may be in values after the first few, which are looked up', async () => {
    const values = Array.from({ length: 600 }, (_value, i) => `Bearer sk-${i}`);
    expect((await tokens.among(values)).size).toBe(596);
    expect(asked).toHaveLength(4);
  });

  it('are looked up once, and other values again after a while', async () => {
    for (let i = 0; i < 3; i++) expect(await isOwn('Bearer alices token')).toBe(true);
    for (let i = 0; i < 3; i++) expect(await isOwn('Bearer sk-1')).toBe(false);
    expect(asked).toEqual(['alices token', 'sk-1']);
    known.add('sk-1');
    time = 60_000;
    expect(await isOwn('Bearer sk-1')).toBe(true);
  });

  it('are recognised by their form while the database is down, and looked up afterwards', async () => {
    isAway = true;
    expect([await isOwn(`Bearer ${UUID}`), await isOwn('Bearer sk-1')]).toEqual([true, false]);
    isAway = false;
    expect(await isOwn(`Bearer ${UUID}`)).toBe(false);
  });
});

describe('tokens outside of Authorization', () => {
  it.each([
    ['X-Api-Key', OWN],
    ['x-api-key', 'alices token'],
    ['X-Auth-Token', 'Bearer "alices token"'],
    ['X-Original-Authorization', `Basic ${Buffer.from(`ann:${OWN}`).toString('base64')}`],
    ['X-Anything', OWN.toUpperCase()],
    ['X-Anything', `Basic ${base64(`ann:${OWN}`)}`],
    ['Forwarded-User', `"basic  ${base64('alices token:')}"`],
    ['X-Anything', `a, Basic ${base64('x:dstack_st_whatever')}`],
    ['X-Anything', `x ${OWN}; y`],
    ['X-Anything', 'dstack_st_whatever'],
    ['Sec-WebSocket-Protocol', `bearer, ${OWN}`],
    ['X-Goog-Api-Key', 'of-the-ssh-proxy'],
    ['Referer', `https://x.test/a?b=1&token=${OWN}`],
    ['Referer', 'https://x.test/a?token=alices%20token'],
  ])('are recognised in the header %s: %s', async (name, value) => {
    expect(await inPlaces(['Accept', '*/*', name, value])).toEqual([value]);
  });

  it.each([
    `session=${OWN}`,
    'access_token=alices%20token',
    'a=dstack_st_whatever',
    'a=dstack%5Fst%5Fwhatever',
    `theme=%7B%22t%22%3A%22${OWN}%22%7D`,
    `a=Basic%20${base64(`ann:${OWN}`)}`,
    OWN,
  ])('are recognised in the cookie %s, beside cookies of the app', async (cookie) => {
    expect(await inPlaces(['Cookie', `a=1; ${cookie}; b=2`])).toEqual([cookie]);
  });

  it.each([
    `token=${OWN}`,
    `x=${OWN}`,
    'api_key=alices+token',
    'key=dstack_st_whatever',
    `${OWN}`,
    `k%65y=alices%20token`,
  ])('are recognised in the parameter %s, and nothing else is dropped', async (parameter) => {
    const url = `/a?b=1&${parameter}&c=%2F`;
    const found = await inPlaces([], url);
    expect(found).toEqual([parameter]);
    expect(withoutParameters(url, new Set(found))).toBe('/a?b=1&c=%2F');
    expect(withoutParameters(`/a?${parameter}`, new Set(found))).toBe('/a');
  });

  it('are not looked up where requests and objects have their names', async () => {
    const headers = [
      ...['X-Request-Id', UUID, 'Idempotency-Key', UUID, 'Content-Type', `x; boundary=${UUID}`],
      ...['Referer', `https://x.test/${UUID}`, 'Accept', '*/*', 'User-Agent', 'curl/8'],
      ...['Cookie', `session_id=${UUID}; theme=dark`],
    ];
    expect(await inPlaces(headers, `/${UUID}?userId=${UUID}&page=2`)).toEqual([]);
    expect(asked).toEqual([]);
  });

  it('are looked up once for all places that have the same value', async () => {
    expect(await inPlaces(['X-Api-Key', UUID, 'Cookie', `a=${UUID}`], `/?a=${UUID}`)).toEqual([]);
    expect(asked).toEqual([UUID]);
  });

  it('may be in places after those that are looked up, which are dropped', async () => {
    const form = (i: number) => `${UUID.slice(0, -2)}${10 + i}`;
    const query = Array.from({ length: 40 }, (_value, i) => `v${i}=${form(i)}`).join('&');
    expect(await inPlaces([], `/?${query}`)).toHaveLength(24);
    expect(asked).toHaveLength(16);
  });

  it('are recognised by the form and the name while the database is down', async () => {
    isAway = true;
    const headers = ['X-Api-Key', UUID, 'X-Auth-Token', 'short', 'X-Item', UUID.replace('0', '1')];
    expect(await inPlaces(headers)).toEqual([UUID]);
  });
});

describe('tokens that an operator has chosen', () => {
  /** `settings`: what the process itself knows. */
  const tokensWith = (settings: readonly string[], marks?: TokenMarks) =>
    new OwnTokens({
      ...{ settings, now: () => time, log: pino({ level: 'silent' }) },
      isToken: async (text) => {
        asked.push(text);
        if (isAway) throw new Error('away');
        return text === CHOSEN;
      },
      ...(marks && { marks: () => marks }),
    });
  const ofServer = () => tokensWith([CHOSEN]);
  const ofGateway = () => tokensWith([], new TokenMarks(marksOf([CHOSEN])));

  it.each(TOKEN_CASES)('are found or not in $what', async ({ headers, query, hasToken }) => {
    for (const own of [ofServer(), ofGateway()]) {
      const places = credentialPlaces(headers, `/?${query}`, own.marks);
      expect((await own.inPlaces(places)).size).toBe(hasToken ? 1 : 0);
    }
  });

  it('need no question where they are known, and one for each text with the mark where not', async () => {
    const headers = ['X-A', CHOSEN, 'X-B', CHOSEN, 'X-C', 'another text/1234'];
    for (const own of [ofServer(), ofGateway()]) {
      await own.inPlaces(credentialPlaces(headers, '/', own.marks));
    }
    expect(asked).toEqual([CHOSEN]);
  });

  it('are not asked about for other texts with the mark more than once in a while', async () => {
    const own = ofGateway();
    const [foreign = ''] = Array.from({ length: 5000 }, (_, n) =>
      `${n}`.padStart(CHOSEN.length, 'x'),
    ).filter((text) => own.marks.mayBe(text));
    for (let n = 0; n < 3; n++) {
      const places = credentialPlaces(['X-Session', foreign], '/', own.marks);
      expect((await own.inPlaces(places)).size).toBe(0);
    }
    expect(asked).toEqual([foreign]);
  });

  it('are recognised by the mark while the server is away', async () => {
    isAway = true;
    const own = ofGateway();
    const places = credentialPlaces(['X-Anything', CHOSEN], '/', own.marks);
    expect([...(await own.inPlaces(places))]).toEqual([CHOSEN]);
    expect(await own.among([`Bearer ${CHOSEN}`])).toEqual(new Set([`Bearer ${CHOSEN}`]));
  });

  it('leave no mark if they have the form of a token or are short, and are not shown by it', () => {
    expect(marksOf([UUID, 'secret', 'dstack_st_abcdefgh', null, ''])).toEqual([]);
    expect(marksOfGuarded(['secret-word', CHOSEN])).toEqual(marksOf([CHOSEN]));
    const [mark] = marksOf([CHOSEN]);
    expect(mark).toEqual({ length: CHOSEN.length, byte: expect.any(Number) });
    const alike = Array.from({ length: 25_600 }, (_, n) =>
      `${n}`.padStart(CHOSEN.length, 'x'),
    ).filter((text) => new TokenMarks(marksOf([CHOSEN])).mayBe(text));
    expect(alike.length).toBeGreaterThan(50);
  });
});
