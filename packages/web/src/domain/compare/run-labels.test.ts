import { expect, it } from 'vitest';
import { aRun } from '../../testing/runs.ts';
import { runLabels } from './run-labels.ts';

it('runs have the shortest names that are different', () => {
  const [a, b] = [aRun('a'), aRun('b')];
  expect(runLabels([a, b])).toEqual(['a', 'b']);
  expect(runLabels([a, { ...a, id: '1234567890', project_name: 'research' }])).toEqual([
    'main/a',
    'research/a',
  ]);
  expect(runLabels([a, b, { ...a, id: '1234567890' }])).toEqual([
    'main/a 00000000',
    'b',
    'main/a 12345678',
  ]);
});
