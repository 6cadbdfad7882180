import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { OwnTokens } from './own-tokens.ts';

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
