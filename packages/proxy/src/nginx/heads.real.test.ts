/** nginx passes on by itself only what the proxy would pass on. */

import { expect, it } from 'vitest';
import { marksOf } from '../callers/token-marks.ts';
import { CHOSEN, TOKEN_CASES, type TokenCase } from '../testing/token-cases.ts';
import { hasLua, withLua } from './testing/lua-nginx.ts';

const PAIRS = ['Cookie', 'Referer'];

function lineOf({ headers: [name, value], query }: TokenCase): string {
  if (name === undefined) return `pairs ${query}`;
  return `${PAIRS.includes(name) ? 'pairs' : 'value'} ${value}`;
}

it.skipIf(!hasLua)('leaves requests with a token that the operator has chosen to the workers', () =>
  withLua('heads-cases', async (ask) => {
    const [mark] = marksOf([CHOSEN]);
    const marks = `marks 99:1,${mark?.length}:${mark?.byte}`;
    const lines = TOKEN_CASES.map(lineOf);
    const before = (await ask('/', lines.join('\n'))).split('\n');
    const [, ...answers] = (await ask('/', [marks, ...lines].join('\n'))).split('\n');
    const differs = TOKEN_CASES.flatMap(({ what, hasToken }, n) =>
      answers[n] === (hasToken ? 'judge' : 'clean') ? [] : [[what, answers[n]]],
    );
    expect([answers.length, differs]).toEqual([lines.length, []]);
    // Without the mark most of them are passed on: nothing else in them is suspicious.
    const open = TOKEN_CASES.filter(({ hasToken }, n) => hasToken && before[n] === 'clean');
    expect(open.length).toBeGreaterThan(5);
    // And so they are again once the token is another one.
    const [, ...after] = (await ask('/', ['marks ', ...lines].join('\n'))).split('\n');
    expect(after).toEqual(before);
  }),
);
