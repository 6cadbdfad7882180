import { expect, it } from 'vitest';
import { PoolCauses } from './pool-causes.ts';

it('a pass after new work alone examines what is new, every other pass everything', () => {
  const causes = new PoolCauses();
  causes.newWork('a');
  causes.newWork('b');
  causes.other('b');
  expect([causes.take('a'), causes.take('b'), causes.take('c')]).toEqual(['new', 'all', 'all']);
  // A pass that is repeated has lost its cause.
  expect(causes.take('a')).toBe('all');
});
