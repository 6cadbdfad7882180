import type { Job } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import { aRun } from '../../testing/runs.ts';
import { jobGroups, placeInRun, probesLook, sortedJobs } from './job-rows.ts';

const [only] = aRun('api').jobs as [Job];

function job(spec: object, submission: object = {}): Job {
  const [latest] = only.job_submissions;
  return {
    ...only,
    job_spec: { ...only.job_spec, jobs_per_replica: 1, ...spec },
    job_submissions: [{ ...latest, ...submission }],
  } as Job;
}

const names = (jobs: readonly Job[]) => jobs.map(({ job_spec }) => job_spec.job_name);

describe('the jobs of a run', () => {
  it('stand in the order of group, deployment, replica and node', () => {
    const jobs = [
      job({ job_name: 'd', replica_group: 'b', replica_num: 0 }),
      job({ job_name: 'c', replica_num: 1 }, { deployment_num: 1 }),
      job({ job_name: 'b', replica_num: 10, job_num: 1 }),
      job({ job_name: 'a', replica_num: 10, job_num: 0 }),
    ];
    expect(names(sortedJobs(jobs))).toEqual(['a', 'b', 'c', 'd']);
  });

  it('have no groups where all belong together', () => {
    expect(jobGroups([job({}), job({ replica_num: 1 })])).toBeNull();
  });

  it('are grouped by what they differ in', () => {
    const [first, next] = [job({}), job({}, { deployment_num: 1 })];
    expect([first, next].map(jobGroups([first, next]) ?? String)).toEqual([
      'Deployment 0',
      'Deployment 1',
    ]);
    const other = job({ replica_group: 'gpu' });
    expect(jobGroups([first, other])?.(other)).toBe('Group gpu');
    expect(jobGroups([first, next, other])?.(other)).toBe('Group gpu, deployment 0');
  });

  it.each([
    [{ replica_num: 2 }, '2'],
    [{ replica_num: 2, jobs_per_replica: 4, job_num: 3 }, '2, node 3'],
    [
      { jobs_per_replica: 4, job_num: 3, node_group_name: 'ps', node_group_job_index: 1 },
      '0, ps 1',
    ],
  ])('have a place: %j is %s', (spec, place) => {
    expect(placeInRun(job(spec))).toBe(place);
  });
});

describe('the probes of a job', () => {
  const probes = [{ ready_after: 1 }, { ready_after: 3 }];
  it.each([
    [[{ success_streak: 1 }, { success_streak: 3 }], 'ok', '2 of 2'],
    [[{ success_streak: 1 }, { success_streak: 2 }], 'progress', '1 of 2'],
    [[], 'waiting', '0 of 2'],
  ])('%j are shown as %s, %s', (state, icon, text) => {
    expect(probesLook(job({ probes }, { probes: state }))).toMatchObject({ icon, text });
  });

  it('are not shown of a job that has none or does not run', () => {
    expect(probesLook(job({}))).toBeNull();
    expect(probesLook(job({ probes }, { status: 'done' }))).toBeNull();
  });
});
