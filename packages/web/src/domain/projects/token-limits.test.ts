import { expect, it } from 'vitest';
import { limitTexts, namesIn, parsedLimit, reachText } from './token-limits.ts';

it.each([
  ['', null],
  ['60', 60],
  ['200k', 200_000],
  ['1.5M', 1_500_000],
  ['0', undefined],
  ['-1', undefined],
  ['1.5', undefined],
  ['many', undefined],
])('the limit %j is %j', (text, limit) => {
  expect(parsedLimit(text)).toBe(limit);
});

it('shows limits with what is used of them', () => {
  const limits = { requests_per_minute: 60, tokens_per_day: 200_000, tokens_per_month: null };
  expect(limitTexts({ limits, used: { day: 1500, month: 9000 } })).toEqual([
    '60 requests/min',
    '1,500 of 200,000 tokens today',
  ]);
  expect(limitTexts({ limits: null, used: { day: 1, month: 1 } })).toEqual([]);
});

it('names the models or services of a token', () => {
  const services = null;
  expect(reachText({ scope: 'models', models: ['a', 'b'], services })).toBe('a, b');
  expect(reachText({ scope: 'models', models: null, services })).toBe('all models');
  expect(reachText({ scope: 'services', models: null, services: ['web'] })).toBe('web');
  expect(reachText({ scope: 'read', models: null, services })).toBeNull();
  expect(namesIn(' a, b ,')).toEqual(['a', 'b']);
  expect(namesIn(' ')).toBeNull();
});
