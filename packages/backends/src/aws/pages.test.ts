import { expect, it } from 'vitest';
import { NoAnswerError } from '../base/errors.ts';
import { awsPages } from './pages.ts';

it('are asked for one after another, with the token of the one before', async () => {
  const ask = async (token: string | null) => ({ page: token, next: token === 'b' ? null : 'b' });
  expect(await awsPages('DescribeInstances', ask)).toEqual([null, 'b']);
});

it.each([
  ['come back to an earlier one', (at: number) => `page ${at % 3}`],
  ['never end', (at: number) => `page ${at}`],
])('are no answer if they %s', async (_, nextOf) => {
  let asked = 0;
  const ask = async () => ({ page: asked, next: nextOf(asked++) });
  await expect(awsPages('DescribeInstances', ask)).rejects.toThrow(NoAnswerError);
  expect(asked).toBeLessThanOrEqual(1000);
});
