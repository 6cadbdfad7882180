import { describe, expect, it } from 'vitest';
import type { FleetRecord, Gang, JobRecord, PoolProject } from '../model/index.ts';
import { lookAtGang, wantsBackendOffers } from './look-ahead.ts';
import {
  aContext,
  aFleet,
  aGang,
  anInstance,
  anOffer,
  aRun,
  aSnapshot,
  changesOf,
  jobChange,
  mayUse,
  NOW,
  placed,
  refusedWith,
} from './testing.ts';

const WAITS = { refusal: { kind: 'no-fleets' }, waitingSince: 5 } as const;
const HOSTS = aFleet('hosts', { ssh_config: { hosts: ['h'], user: 'u' } });

function gangOf(
  projectId: string,
  name: string,
  { priority = 0, submittedAt = 1 } = {},
  patch: Partial<JobRecord> = {},
  configuration: object = {},
): Gang {
  return aGang(aRun(name, configuration, { projectId, priority, submittedAt }), 0, patch);
}

const both = (fleets: readonly FleetRecord[] = [HOSTS]) =>
  mayUse(['project-1', 'project-2'], fleets);

describe('projects that share fleets', () => {
  const instances = [anInstance(HOSTS, 0)];

  it('have one queue: the older gang comes first, whichever project it is in', () => {
    const gangs = [
      gangOf('project-1', 'ours', { submittedAt: 2 }),
      gangOf('project-2', 'theirs', { submittedAt: 1 }),
    ];
    const decision = placed({ fleets: [HOSTS], instances, gangs, projects: both() });
    expect(jobChange(decision, 'job-theirs-0-0')?.instanceId).toBe('hosts-0');
    expect(refusedWith(decision, 'job-ours-0-0')).not.toBeNull();
  });

  it('have one queue: a higher priority comes first, whichever project it is in', () => {
    const gangs = [
      gangOf('project-2', 'theirs', { submittedAt: 1 }, WAITS),
      gangOf('project-1', 'ours', { submittedAt: 2, priority: 9 }),
    ];
    const decision = placed({ fleets: [HOSTS], instances, gangs, projects: both() });
    expect(jobChange(decision, 'job-ours-0-0')?.instanceId).toBe('hosts-0');
    expect(jobChange(decision, 'job-theirs-0-0')).toBeUndefined();
  });

  it('use no fleet that only another of them may use', () => {
    const gangs = [gangOf('project-2', 'theirs'), gangOf('project-1', 'ours', { submittedAt: 9 })];
    const projects = new Map([...mayUse(['project-1'], [HOSTS]), ...mayUse(['project-2'], [])]);
    const decision = placed({ fleets: [HOSTS], instances, gangs, projects });
    expect(jobChange(decision, 'job-ours-0-0')?.instanceId).toBe('hosts-0');
    expect(jobChange(decision, 'job-theirs-0-0')?.refusal).toEqual({ kind: 'no-fleets' });
  });

  it('hold capacity for the first of their gangs that waits', () => {
    const cluster = aFleet('cluster', {
      placement: 'cluster',
      ssh_config: { hosts: ['h'], user: 'u' },
    });
    const two = [
      anInstance(cluster, 0),
      anInstance(cluster, 1, anOffer(), { status: 'busy', busyBlocks: 1 }),
    ];
    const big = gangOf('project-2', 'big', { submittedAt: 1 }, WAITS, { nodes: 2 });
    const gangs = [gangOf('project-1', 'small', { submittedAt: 2 }), big];
    const projects = both([cluster]);
    const decision = placed({ fleets: [cluster], instances: two, gangs, projects });
    expect(refusedWith(decision, 'job-small-0-0')).toContain('1 held for a run that is ahead');
  });

  it('do not keep hosts idle that the first of their gangs cannot use', () => {
    const gpus = (gpu: string) => anOffer({ gpus: 4, gpu, cpus: 32, memoryGb: 256 });
    const part = [
      anInstance(HOSTS, 0, gpus('H100'), { totalBlocks: 1, busyBlocks: 1, status: 'busy' }),
      anInstance(HOSTS, 1, gpus('A100'), { totalBlocks: 1, busyBlocks: 0, status: 'idle' }),
    ];
    const asks = (gpu: string) => ({ resources: { cpu: '1..', memory: '1GB..', gpu } });
    const gangs = [
      gangOf('project-1', 'head', { submittedAt: 1 }, WAITS, asks('H100:4')),
      gangOf('project-2', 'next', { submittedAt: 2 }, {}, asks('A100:4')),
    ];
    const decision = placed({ fleets: [HOSTS], instances: part, gangs, projects: both() });
    expect(jobChange(decision, 'job-next-0-0')?.instanceId).toBe('hosts-1');
    expect(jobChange(decision, 'job-head-0-0')?.instanceId ?? null).toBeNull();
  });

  it('write only while no project has gained or lost the use of a fleet', () => {
    const gangs = [gangOf('project-1', 'ours')];
    const decision = placed({ fleets: [HOSTS], instances, gangs });
    expect(changesOf(decision, 'pool.check')).toEqual([
      { type: 'pool.check', id: 'pool-1', version: 1 },
    ]);
    const nothing = placed({ fleets: [HOSTS], instances: [], gangs });
    expect(changesOf(nothing, 'pool.check')).toEqual([]);
  });

  it('ask the backends of the project that owns the fleet', () => {
    const cloud = aFleet('cloud');
    const theirs = { ...aFleet('theirs'), projectId: 'project-2' };
    const snapshot = aSnapshot({
      fleets: [cloud, theirs],
      gangs: [gangOf('project-1', 'ours'), gangOf('project-2', 'other')],
      projects: both([cloud, theirs]),
    });
    const asked = wantsBackendOffers(snapshot, NOW).map(({ fleetId, projectId }) => [
      fleetId,
      projectId,
    ]);
    expect(asked.toSorted()).toEqual([
      ['fleet-cloud', 'project-1'],
      ['fleet-theirs', 'project-2'],
    ]);
  });
});

describe('while the backends of a project have not answered', () => {
  const cloud = aFleet('cloud', { nodes: '0..2' });
  const silent: Partial<PoolProject> = { isUnanswered: true };
  const projects = new Map([
    ...mayUse(['project-1'], [cloud, HOSTS], silent),
    ...mayUse(['project-2'], [HOSTS]),
  ]);

  it('its gangs use what exists', () => {
    const gangs = [gangOf('project-1', 'ours')];
    const instances = [anInstance(HOSTS, 0)];
    const decision = placed({ fleets: [cloud, HOSTS], instances, gangs, projects });
    expect(jobChange(decision, 'job-ours-0-0')?.instanceId).toBe('hosts-0');
  });

  it('its other gangs are neither refused nor overtaken where they wait', () => {
    const whole = { resources: { gpu: 1 } };
    const ours = gangOf('project-1', 'ours', { submittedAt: 1 }, {}, whole);
    const theirs = gangOf('project-2', 'theirs', { submittedAt: 2 }, {}, whole);
    const machine = anOffer({ gpus: 1 });
    const busy = { status: 'busy', busyBlocks: 1, totalBlocks: 1 } as const;
    const full = placed({
      ...{ fleets: [cloud, HOSTS], gangs: [ours], projects },
      instances: [anInstance(HOSTS, 0, machine, busy)],
    });
    expect(full.changes).toEqual([]);
    const free = placed({
      ...{ fleets: [cloud, HOSTS], gangs: [ours, theirs], projects },
      instances: [anInstance(HOSTS, 0, machine)],
    });
    expect(jobChange(free, 'job-ours-0-0')?.instanceId).toBe('hosts-0');
    expect(refusedWith(free, 'job-theirs-0-0')).not.toBeNull();
  });

  it('the gangs of others are placed and refused as ever', () => {
    const gangs = [gangOf('project-1', 'ours'), gangOf('project-2', 'theirs')];
    const decision = placed({ fleets: [cloud, HOSTS], instances: [], gangs, projects });
    expect(jobChange(decision, 'job-ours-0-0')).toBeUndefined();
    expect(refusedWith(decision, 'job-theirs-0-0')).not.toBeNull();
  });
});

it('a look at a gang sees the gangs of other projects that are ahead', () => {
  const gangs = [gangOf('project-1', 'ours', { submittedAt: 2 }), gangOf('project-2', 'theirs')];
  const snapshot = aSnapshot({
    ...{ fleets: [HOSTS], instances: [anInstance(HOSTS, 0)], gangs, projects: both() },
    pool: null,
  });
  const look = lookAtGang(
    snapshot,
    () => [],
    aContext(),
    ({ run }) => run.name === 'ours',
  );
  expect(look?.option).toBeNull();
  expect(look?.ahead.map(({ run }) => run.name)).toEqual(['theirs']);
});
