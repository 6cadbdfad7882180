import type { AccessRecord } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { AccessRecords } from './access-records.ts';

const record = (path: string): AccessRecord => ({
  ...{ time: 0, method: 'GET', path, status: 200, ms: 1 },
  ...{ user: null, address: '', request_id: '', job_id: null },
});

function filled(count: number): AccessRecords {
  const records = new AccessRecords();
  for (let i = 0; i < count; i++) records.add('run', record(`/${i}`));
  return records;
}

const paths = ({ records }: ReturnType<AccessRecords['since']>) => records.map(({ path }) => path);

it('returns what has ended since the last time, in order', () => {
  const records = filled(3);
  const first = records.since('run', null);
  expect([paths(first), first.next, first.skipped]).toEqual([['/0', '/1', '/2'], 3, 0]);
  records.add('run', record('/3'));
  expect(paths(records.since('run', first.next))).toEqual(['/3']);
  expect(records.since('run', 4)).toEqual({ records: [], next: 4, skipped: 0 });
  expect(records.since('other', null)).toEqual({ records: [], next: 0, skipped: 0 });
});

it('keeps the latest, and counts those that were not read in time', () => {
  const records = filled(500);
  const all = records.since('run', null);
  expect([all.records.length, paths(all)[0], all.next, all.skipped]).toEqual([200, '/300', 500, 0]);
  const late = records.since('run', 100);
  expect([late.records.length, late.skipped]).toEqual([200, 200]);
});

it('starts anew after a restart, and drops the services that are idle for longest', () => {
  const records = filled(2);
  expect(paths(records.since('run', 900))).toEqual(['/0', '/1']);
  for (let i = 0; i < 500; i++) records.add(`run-${i}`, record('/'));
  expect(records.since('run', null).records).toEqual([]);
});
