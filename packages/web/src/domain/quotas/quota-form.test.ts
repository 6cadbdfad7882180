import { expect, it } from 'vitest';
import { NO_TERMS, requestedTerms, termTexts } from './quota-form.ts';

it.each([
  [{ gpu: '8' }, { gpu: 8 }],
  [{ gpu: 'H100: 8, A100=4' }, { gpu: { H100: 8, A100: 4 } }],
  [
    { gpu: 'many', memory: '512GB' },
    { gpu: 'many', memory: '512GB' },
  ],
  [
    { cost: '$12.5', runs: ' 50 ' },
    { cost: 12.5, runs: 50 },
  ],
  [{ gpu: 'H100:' }, { gpu: { H100: '' } }],
  [NO_TERMS, null],
])('%j asks for %j', (texts, terms) => {
  expect(requestedTerms(texts)).toEqual(terms);
});

it('shows what is set in the same words', () => {
  const terms = { gpu: { H100: 8, A100: 4 }, cpu: 64, memory: null, instances: null, cost: 12.5 };
  const texts = termTexts({ ...terms, runs: null });
  expect(texts).toEqual({ ...NO_TERMS, gpu: 'H100: 8, A100: 4', cpu: '64', cost: '12.5' });
  expect(requestedTerms(texts)).toEqual({ gpu: { H100: 8, A100: 4 }, cpu: 64, cost: 12.5 });
  expect(termTexts(null)).toEqual(NO_TERMS);
});
