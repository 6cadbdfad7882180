import { expect, it } from 'vitest';
import { ClosingSteps } from './parts.ts';

it('started parts are closed from the end, also after a step that fails', async () => {
  const done: string[] = [];
  const steps = new ClosingSteps();
  steps.add(() => done.push('database'));
  steps.add(async () => {
    throw new Error('disk full');
  });
  steps.add(() => done.push('requests'));
  await expect(steps.run()).rejects.toThrow('disk full');
  expect(done).toEqual(['requests', 'database']);
  await steps.run();
  expect(done).toHaveLength(2);
});
