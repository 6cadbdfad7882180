import { expect, it } from 'vitest';
import type { RunRow } from '../../data/runs/run-row.ts';
import { filterRuns } from './run-filter.ts';

const row = (name: string, more: Partial<RunRow> = {}) =>
  ({ name, user: 'ada', project: 'main', status: 'running', type: 'task', ...more }) as RunRow;
const rows = [
  row('train-llama'),
  row('train-old', { status: 'failed', user: 'grace' }),
  row('chat', { type: 'service' }),
  row('ending', { status: 'terminating' }),
];
const found = (filter: Partial<Parameters<typeof filterRuns>[1]>) =>
  filterRuns(rows, { status: 'any', type: null, text: '', ...filter }).map(({ name }) => name);

it('finds all words anywhere in the row', () => {
  expect(found({ text: 'TRAIN grace' })).toEqual(['train-old']);
  expect(found({ text: '  ' })).toHaveLength(4);
});

it('counts ending runs as active', () => {
  expect(found({ status: 'active' })).toEqual(['train-llama', 'chat', 'ending']);
});

it('finds by type', () => {
  expect(found({ type: 'service' })).toEqual(['chat']);
});
