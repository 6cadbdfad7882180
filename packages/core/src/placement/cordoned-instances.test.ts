import { describe, expect, it } from 'vitest';
import { aFleet, anInstance, changesOf, jobChange, placed, refusedWith, task } from './testing.ts';

const SSH = aFleet('lab');
const cordon = {
  state: 'cordoned',
  reason: 'a fan is replaced',
  by: 'ann',
  since: 0,
  until: null,
} as const;

describe('a cordoned instance', () => {
  it('gets no new job, even on blocks that are free beside one', () => {
    const shared = { totalBlocks: 2, busyBlocks: 1, status: 'busy' } as const;
    const decision = placed({
      fleets: [SSH],
      instances: [
        { ...anInstance(SSH, 0), scheduling: cordon },
        { ...anInstance(SSH, 1), ...shared, scheduling: cordon },
      ],
      gangs: [task('a')],
    });
    expect(jobChange(decision, 'job-a-0-0')).not.toHaveProperty('instanceId');
    expect(changesOf(decision, 'instance.update')).toEqual([]);
  });

  it('leaves the job to another one', () => {
    const decision = placed({
      fleets: [SSH],
      instances: [{ ...anInstance(SSH, 0), scheduling: cordon }, anInstance(SSH, 1)],
      gangs: [task('a')],
    });
    expect(jobChange(decision, 'job-a-0-0')).toMatchObject({ instanceId: 'lab-1' });
  });

  it('is named with the user, the end and the reason where a job waits for it', () => {
    const until = Date.UTC(2026, 11, 1, 10) * 1000;
    const fleet = aFleet('lab', { nodes: 1 });
    const decision = placed({
      fleets: [fleet],
      instances: [{ ...anInstance(fleet, 0), scheduling: { ...cordon, until } }],
      gangs: [task('a')],
    });
    expect(refusedWith(decision, 'job-a-0-0')).toBe(
      'Fleet lab is at capacity: no offers match, ' +
        'instances: 1 cordoned by ann until 2026-12-01 10:00:00 UTC: a fan is replaced',
    );
  });
});
