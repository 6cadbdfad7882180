import { expect, it } from 'vitest';
import { StatementNames } from './prepared-pool.ts';

function namesAfter(uses: number, text: string, names = new StatementNames()) {
  return Array.from({ length: uses }, () => names.of(text));
}

it('prepares a frequent statement, under one name', () => {
  const names = namesAfter(7, 'select id from runs where id = $1');
  expect(names.slice(0, 4)).toEqual([null, null, null, null]);
  expect(new Set(names.slice(4)).size).toBe(1);
  expect(names[4]).toMatch(/^[0-9a-f]{32}$/);
});

it('gives different statements different names', () => {
  const names = new StatementNames();
  const [a] = namesAfter(5, 'select a from t', names).slice(-1);
  const [b] = namesAfter(5, 'select b from t', names).slice(-1);
  expect(a).not.toBe(b);
});

it.each([
  'select * from users',
  'select "p".* from projects p',
  'insert into t values ($1)',
  'commit',
])('does not prepare %s', (text) => {
  expect(namesAfter(10, text)).toEqual(Array(10).fill(null));
});

it('keeps the number of prepared statements within bounds', () => {
  const names = new StatementNames();
  const last = (i: number) => namesAfter(5, `select ${i} from t`, names).at(-1);
  const found = Array.from({ length: 300 }, (_, i) => last(i));
  expect(found.filter((name) => name !== null)).toHaveLength(200);
  expect(names.of('select 0 from t')).toBe(found[0]);
});
