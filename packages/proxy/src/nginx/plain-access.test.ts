import { expect, it } from 'vitest';
import { pagesOf } from './plain-access.ts';

const line = (path: string) => `1000\tGET\t${path}\t200\t1.26\tann\t127.0.0.1\tid`;
const text = ['p\t7\t3', line('/b'), line('/c'), 'p\t8\t0'].join('\n');

it('has a page for each process of nginx, from the number that was read before', () => {
  const record = {
    ...{ time: 1000, method: 'GET', path: '/c', status: 200, ms: 1.3, user: 'ann' },
    ...{ address: '127.0.0.1', request_id: 'id' },
  };
  const [first, second] = pagesOf(text, 'e', { 'nginx-e-7': 2 });
  expect(first).toEqual({ process: 'nginx-e-7', next: 3, skipped: 0, records: [record] });
  expect(second).toEqual({ process: 'nginx-e-8', next: 0, skipped: 0, records: [] });
});

it('reports how many requests are no longer kept', () => {
  expect(pagesOf(text, 'e', { 'nginx-e-7': 0 })[0]).toMatchObject({ skipped: 1, next: 3 });
  // A number of an earlier process.
  expect(pagesOf(text, 'e', { 'nginx-e-7': 9 })[0]?.records).toHaveLength(2);
});

it('names the replica that answered, if one did', () => {
  const job = '0b1c2d3e-0000-4000-8000-000000000001';
  const lines = ['p\t7\t2', `${line('/a')}\t${job}`, `${line('/b')}\t`].join('\n');
  const records = pagesOf(lines, 'e', {})[0]?.records;
  expect(records?.map((record) => record.job_id)).toEqual([job, undefined]);
});
