/** The policy in Lua is that of the proxy. */
import { expect, it } from 'vitest';
import { hasLua, withLua } from './testing/lua-nginx.ts';
import { run, table } from './testing/policy-cases.ts';

it.skipIf(!hasLua)('answers each case of the table as the proxy does', () =>
  withLua('policy-cases', async (ask) => {
    const lines = table();
    const inLua = (await ask('/', lines.join('\n'))).split('\n');
    const inProxy = run(lines);
    const differs = lines.flatMap((line, n) =>
      isSame(inLua[n] ?? '', inProxy[n] ?? '') ? [] : [[line, inLua[n], inProxy[n]]],
    );
    expect([inLua.length, differs]).toEqual([lines.length, []]);
    const countOf = (cause: string) => inProxy.filter((one) => one.startsWith(cause)).length;
    // The table has what it is about.
    expect(countOf('errors_in_row')).toBeGreaterThan(20);
    expect(countOf('error_rate')).toBeGreaterThan(5);
  }),
);

/** Powers may differ in their last digit. */
function isSame(one: string, other: string): boolean {
  const others = other.split(' ');
  const words = one.split(' ');
  if (words.length !== others.length) return false;
  return words.every((word, n) => {
    const [a, b] = [Number(word), Number(others[n])];
    if (Number.isNaN(a)) return word === others[n];
    return Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b));
  });
}
