import { expect, it } from 'vitest';
import { modelUses } from './model-use.ts';

const row = (day: string, model: string, user: string, tokens: number) => ({
  day,
  model,
  user,
  requests: 2,
  aborted: 1,
  estimated: 0,
  prompt_tokens: tokens,
  completion_tokens: 10,
});

it('adds the days of a user and model up, the largest use first', () => {
  const uses = modelUses([
    row('2026-11-26', 'qwen', 'ann', 100),
    row('2026-11-27', 'qwen', 'ann', 50),
    row('2026-11-27', 'qwen', 'bob', 500),
  ]);
  expect(uses.map(({ user, promptTokens }) => [user, promptTokens])).toEqual([
    ['bob', 500],
    ['ann', 150],
  ]);
  expect(uses[1]).toMatchObject({ requests: 4, aborted: 2, completionTokens: 20 });
});
