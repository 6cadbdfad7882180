import type { Run } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { aRun } from '../../testing/runs.ts';
import type { RunPages } from './run-cache.ts';
import { withNewest, withRows } from './run-changes.ts';
import { type RunRow, runRow } from './run-row.ts';

const ALL = { project: null, user: null, active: false };
const at = (name: string, minute: number, more: Partial<Run> = {}): RunRow =>
  runRow(aRun(name, { submitted_at: `2026-11-26T12:${minute}:00Z`, ...more }));
const pages = (...list: RunRow[][]): RunPages => ({
  pages: list,
  pageParams: list.map(() => null),
});
const names = ({ pages }: RunPages) => pages.map((page) => page.map(({ name }) => name).join(''));

it('changes rows in place', () => {
  const before = pages([at('c', 30), at('b', 20)], [at('a', 10)]);
  const after = withRows(before, [at('a', 10, { status: 'done' })], ALL);
  expect(names(after)).toEqual(['cb', 'a']);
  expect(after.pages[1]?.[0]?.status).toBe('done');
  expect(after.pages[0]).toBe(before.pages[0]);
});

it('puts new runs where the server would list them', () => {
  const before = pages([at('d', 40), at('b', 20)], [at('a', 10)]);
  expect(names(withRows(before, [at('c', 30), at('e', 50)], ALL))).toEqual(['edcb', 'a']);
});

it('leaves out runs that belong to another list, or to a page that is not loaded', () => {
  const before = pages([at('b', 20)]);
  const rows = [at('c', 30, { project_name: 'team' }), at('a', 10)];
  expect(names(withRows(before, rows, { ...ALL, project: 'main' }))).toEqual(['b']);
});

it('takes finished runs out of the list of active ones', () => {
  const before = pages([at('b', 20), at('a', 10)]);
  const rows = [at('b', 20, { status: 'done' })];
  expect(names(withRows(before, rows, { ...ALL, active: true }))).toEqual(['a']);
});

it('keeps the earlier submissions of a run that is open', () => {
  const known = aRun('train');
  const [job] = known.jobs;
  const newest = { ...job!.job_submissions[0]!, id: 'second', submission_num: 1 };
  const change = aRun('train', { jobs: [{ ...job!, job_submissions: [newest] }] });
  const merged = withNewest(known, change);
  expect(merged.jobs[0]?.job_submissions.map(({ id }) => id)).toEqual([
    'train-submission',
    'second',
  ]);
});
