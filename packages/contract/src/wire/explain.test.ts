import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { EXPLAIN_STATES, STATE_RULES } from './explain.ts';
import { RULES } from './refusal.ts';

const docs = readFileSync(new URL('../../../../docs/explain.md', import.meta.url), 'utf8');

it('the documentation explains each rule and each state', () => {
  const words = [...RULES, ...STATE_RULES, ...EXPLAIN_STATES];
  expect(words.filter((word) => !docs.includes(`\`${word}\``))).toEqual([]);
});
