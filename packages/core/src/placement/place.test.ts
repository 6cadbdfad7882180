import { describe, expect, it } from 'vitest';
import {
  aFleet,
  aGang,
  anInstance,
  anOffer,
  aRun,
  CLOUD,
  eventsOf,
  jobChange,
  placed,
  task,
} from './testing.ts';

describe('a run without a place', () => {
  it('ends with the phrase that clients show as `no fleets` if the project has none', () => {
    const decision = placed({ gangs: [task('a')] });
    const change = jobChange(decision, 'job-a-0-0');
    expect(change?.terminationMessage).toContain('No matching fleet found');
    expect(eventsOf(decision)[0]).toBe(
      'Job status changed SUBMITTED -> TERMINATING. Termination reason: ' +
        `FAILED_TO_START_DUE_TO_NO_CAPACITY (${change?.terminationMessage})`,
    );
    expect(decision.signals).toEqual([{ kind: 'run', id: 'run-a' }]);
  });

  it('names the fleets it was told to use', () => {
    const decision = placed({ fleets: [CLOUD], gangs: [task('a', { fleets: ['other'] })] });
    expect(jobChange(decision, 'job-a-0-0')?.terminationMessage).toBe(
      'No matching fleet found: none of the specified fleets (other) is there',
    );
  });

  it('does not block those behind it', () => {
    const gangs = [task('big', { resources: { gpu: 'H100:8' } }), task('small')];
    const decision = placed({ fleets: [CLOUD], instances: [anInstance(CLOUD, 0)], gangs });
    expect(jobChange(decision, 'job-big-0-0')?.status).toBe('terminating');
    expect(jobChange(decision, 'job-small-0-0')?.status).toBe('provisioning');
  });

  it('is told how many nodes it needs at once', () => {
    const ssh = aFleet('ssh', { placement: 'cluster', ssh_config: { hosts: ['h'], user: 'u' } });
    const decision = placed({
      fleets: [ssh],
      instances: [anInstance(ssh, 0)],
      gangs: [task('a', { nodes: 2 })],
    });
    expect(jobChange(decision, 'job-a-0-0')?.terminationMessage).toBe(
      'Fleet ssh is at capacity: 2 nodes are needed at once',
    );
  });

  it('is told what its hosts lack', () => {
    const ssh = aFleet('ssh', { ssh_config: { hosts: ['h'], user: 'u' } });
    const gangs = [task('a', { resources: { cpu: '500..' } })];
    const decision = placed({ fleets: [ssh], instances: [anInstance(ssh, 0)], gangs });
    expect(jobChange(decision, 'job-a-0-0')?.terminationMessage).toBe(
      'Fleet ssh is at capacity, instances: 1 without the cpu asked for',
    );
  });
});

describe('runs that wait for capacity', () => {
  const waiting = ['a', 'b'].map((name) => aRun(name, {}, { status: 'pending' }));

  it('are told in their order as far as there is room', () => {
    const decision = placed({ fleets: [CLOUD], instances: [anInstance(CLOUD, 0)], waiting });
    expect(decision.changes).toEqual([]);
    expect(decision.signals).toEqual([{ kind: 'run', id: 'run-a' }]);
  });

  it('are not told of machines that a cloud may still refuse', () => {
    expect(placed({ fleets: [CLOUD], waiting }, [anOffer()]).signals).toEqual([]);
  });

  it('come after what is submitted already', () => {
    const decision = placed({
      fleets: [CLOUD],
      instances: [anInstance(CLOUD, 0)],
      waiting,
      gangs: [task('c')],
    });
    expect(decision.signals).not.toContainEqual({ kind: 'run', id: 'run-a' });
  });
});

it('a job that is being stopped is not placed', () => {
  const gang = aGang(aRun('a'), 0, { stopRequestedAt: 1 });
  const decision = placed({ fleets: [CLOUD], instances: [anInstance(CLOUD, 0)], gangs: [gang] });
  expect(decision.changes).toEqual([]);
});
