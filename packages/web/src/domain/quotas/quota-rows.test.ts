import type { Quota } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { quotaBar, quotaRows, quotaSubject, resourceName, usageText } from './quota-rows.ts';

const NONE = { gpu: null, cpu: null, memory: null, instances: null, cost: null };
const quota: Quota = {
  ...{ id: 'q', project_name: 'lab', fleet_name: null, user_name: null, weight: 2 },
  guaranteed: { ...NONE, gpu: 4 },
  limit: { ...NONE, gpu: 8, cost: 12.5, runs: null },
  use: [
    { resource: 'gpu', user_name: null, used: 6, guaranteed: 4, limit: 8 },
    { resource: 'cost', user_name: null, used: 1.5, guaranteed: null, limit: 12.5 },
  ],
};

it('has a row for each resource, with what is borrowed of it', () => {
  const [gpu, cost] = quotaRows([quota]);
  expect(gpu).toMatchObject({ subject: 'lab', resource: 'gpu', used: 6, borrowed: 2, weight: 2 });
  expect(cost).toMatchObject({ resource: 'cost', borrowed: null });
  expect([gpu, cost].map((row) => row && usageText(row))).toEqual([
    '6 of 8 GPUs used, 4 guaranteed, 2 borrowed',
    '$1.50 of $12.50 per hour used',
  ]);
});

it('has what a quota names as long as nothing is used', () => {
  const limit = { ...NONE, gpu: { H100: 8 }, runs: 50 };
  const rows = quotaRows([{ ...quota, user_name: '*', guaranteed: null, limit, use: [] }]);
  expect(rows.map(({ resource, used, limit: most }) => [resource, used, most])).toEqual([
    ['gpu:H100', 0, 8],
    ['runs', 0, 50],
  ]);
  const weight = quotaRows([{ ...quota, guaranteed: null, limit: null, use: [] }]);
  expect(weight.map((row) => resourceName(row.resource))).toEqual(['Weight alone']);
});

it.each([
  [null, null, 'lab'],
  [null, '*', 'lab, each user'],
  ['pool', 'ann', 'lab on pool, ann'],
  ['main/pool', null, 'lab on main/pool'],
])('the quota of fleet %s and user %s is that of %s', (fleet_name, user_name, text) => {
  expect(quotaSubject({ project_name: 'lab', fleet_name, user_name })).toBe(text);
});

it.each([
  [
    { used: 6, guaranteed: 4, limit: 8 },
    { own: 0.5, borrowed: 0.25, guaranteed: 0.5, limit: 1 },
  ],
  [
    { used: 2, guaranteed: null, limit: 8 },
    { own: 0.25, borrowed: 0, guaranteed: null, limit: 1 },
  ],
  [
    { used: 10, guaranteed: null, limit: 8 },
    { own: 1, limit: 0.8, isOver: true },
  ],
  [
    { used: 0, guaranteed: null, limit: 0 },
    { own: 0, limit: 0, isOver: false },
  ],
])('draws %j', (use, bar) => {
  const [row] = quotaRows([{ ...quota, use: [{ resource: 'gpu', user_name: null, ...use }] }]);
  expect(row && quotaBar(row)).toMatchObject(bar);
});
