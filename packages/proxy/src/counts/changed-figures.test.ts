import { expect, it } from 'vitest';
import { ChangedFigures } from './changed-figures.ts';
import type { CountedService } from './proxy-figures.ts';

const counted = (runId: string, inFlight = 0) => ({ runId, inFlight }) as unknown as CountedService;

it('only what has changed is sent', () => {
  const figures = new ChangedFigures();
  expect(figures.of([counted('a'), counted('b')])).toHaveLength(2);
  expect(figures.of([counted('a'), counted('b', 1)])).toEqual([counted('b', 1)]);
  expect(figures.of([counted('a'), counted('b', 1)])).toEqual([]);
});

it('a service that has left is forgotten, and sent whole when it is back', () => {
  const figures = new ChangedFigures();
  figures.of([counted('a')]);
  expect(figures.of([])).toEqual([]);
  expect(figures.size).toBe(0);
  expect(figures.of([counted('a')])).toHaveLength(1);
});
