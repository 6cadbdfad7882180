import { expect, it } from 'vitest';
import { DECIDER, linearOf, nameOf, readDecided, withSlow } from './regexes-decided.ts';

const A = nameOf({ pattern: 'a+', flags: 'u' });

it('a pattern that was found to be linear needs no further check', () => {
  expect([...linearOf({ by: DECIDER, linear: [A] })]).toEqual([A]);
});

it('what another version or other settings have decided counts for nothing', () => {
  expect([...linearOf({ by: 'recheck 1.0.0 {}', linear: [A] })]).toEqual([]);
});

it('slow patterns are recorded as long as a source has them', () => {
  const decided = withSlow(new Set(['/gone/', A]), ['/new/', '/gone-too/'], new Set(['/new/', A]));
  expect(decided).toEqual({ by: DECIDER, linear: [A, '/new/'] });
});

it('the record is of the installed version', () => {
  expect(readDecided().by).toBe(DECIDER);
});
