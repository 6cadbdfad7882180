/** An explanation of a waiting run beyond its reasons: position, counts, time and fixes. */
import { describe, expect, it } from 'vitest';
import { aFleet, aGang, anInstance, anOffer, aRun, CLOUD, task } from '../placement/testing.ts';
import { aNamedRun, diagnose, held, NOW } from './testing.ts';
import { BUSY, busy, host, LAB, REMOTE, WAITS } from './testing-waiting.ts';

describe('the explanation of a run without a place', () => {
  it('has its position in the queue, with the runs ahead', () => {
    const first = [aNamedRun('first', 'project-1', 7), aNamedRun('second')];
    const diagnosis = diagnose({
      job: WAITS,
      fleets: [LAB],
      instances: [busy],
      place: { ahead: 2, first },
    });
    expect(diagnosis.position).toBe(3);
    expect(diagnosis.ahead).toMatchObject([
      { run: 'first', project: null, priority: 7, keeps: null },
      { run: 'second' },
    ]);
    expect(diagnosis.summary).toContain('2 runs that ask for the same are ahead');
  });

  it('names three fleets in its summary, and counts the others', () => {
    const given = { ssh_config: { user: 'u', hosts: ['a'] } };
    const fleets = Array.from({ length: 5 }, (_, n) => aFleet(`f${n}`, given));
    const instances = fleets.map((fleet) => anInstance(fleet, 0, anOffer(REMOTE), BUSY));
    const { summary } = diagnose({ fleets, instances });
    expect(summary).toMatch(/fleet f2 is full \(.*\); 2 more fleets do not take it now/);
    expect(summary).not.toContain('f3');
  });

  it('counts instances beyond the first twenty', () => {
    const instances = Array.from({ length: 30 }, (_, n) => host(n, BUSY));
    const { considered, reasons } = diagnose({ fleets: [LAB], instances });
    const rows = considered.filter((row) => row.kind === 'instance');
    expect(rows).toHaveLength(21);
    expect(rows.at(-1)).toMatchObject({ instance: null, count: 10, rule: 'busy' });
    expect(reasons[0]).toMatchObject({ rule: 'busy', count: 30 });
  });

  it('waits for the end of its retry, if it is allowed to wait', () => {
    const diagnosis = diagnose({
      configuration: { retry: { on_events: ['no-capacity'], duration: '1h' } },
      job: WAITS,
      fleets: [LAB],
      instances: [busy],
    });
    expect(diagnosis).toMatchObject({ since: NOW, until: NOW + 3600e6 });
    expect(JSON.stringify(diagnosis.fixes)).not.toContain('retry:');
  });

  it('gets no advice to wait for a host that cannot start jobs now: it does so without a retry', () => {
    const hostTrouble = { executorFails: true, failedStarts: 0, cause: null, coolsUntil: null };
    const situation = { fleets: [LAB], instances: [host(0, { hostTrouble, health: 'failure' })] };
    const { fixes } = diagnose({ job: WAITS, ...situation });
    expect(JSON.stringify(fixes)).not.toContain('retry:');
  });

  it('may wait for a place besides what it retries on already', () => {
    const { fixes } = diagnose({
      configuration: { retry: { on_events: ['error'], duration: '1h' } },
      fleets: [LAB],
      instances: [busy],
    });
    const values = fixes.map((one) => one.value);
    expect(values).toContain('retry:\n  on_events: [no-capacity, error]\n  duration: 1d');
  });

  it('has a command with the path of the applied file', () => {
    const run = aRun('train', { max_price: 1 });
    const spec = { ...run.spec, configuration_path: "my jobs/it's.dstack.yml" };
    const situation = { run: { spec }, fleets: [CLOUD], offers: [anOffer({ price: 2 })] };
    const diagnosis = diagnose({ configuration: { max_price: 1 }, ...situation });
    expect(diagnosis.fixes[0]).toMatchObject({
      command: "dstack apply -f 'my jobs/it'\"'\"'s.dstack.yml' --max-price 2",
      value: 'max_price: 2',
    });
  });

  it('names a place that exists now to a run that failed without one', () => {
    const failed = { status: 'failed', terminationReason: 'job_failed' } as const;
    const job = {
      status: 'failed',
      terminationReason: 'failed_to_start_due_to_no_capacity',
      refusal: { kind: 'no-fleets' },
      finishedAt: NOW,
    } as const;
    const now = diagnose({ run: failed, job, fleets: [LAB], instances: [host(0)] });
    expect(now).toMatchObject({ state: 'ended', waiting_for: null, position: null });
    expect(now.summary).toContain('Now there is a place for it in fleet lab: apply it again');
    const full = diagnose({ run: failed, job, fleets: [LAB], instances: [busy] });
    expect(full.summary).toContain('Now: fleet lab is full');
    expect(full.fixes.map((one) => one.value)).toContain(
      'retry:\n  on_events: [no-capacity]\n  duration: 1d',
    );
  });

  it('advises a run whose offers were all refused to correct what they were refused for', () => {
    const failed = { status: 'failed', terminationReason: 'job_failed' } as const;
    const job = {
      status: 'failed',
      terminationReason: 'failed_to_start_due_to_no_capacity',
      terminationMessage: 'All offers failed. Tried 1 of 3 offers: slurm/hpc: no such partition',
      finishedAt: NOW,
    } as const;
    const now = diagnose({ run: failed, job, fleets: [LAB], instances: [host(0)] });
    expect(now.summary).toContain('no such partition. Fleet lab has offers for it: correct what');
    expect(now.fixes[0]?.text).toMatch(/^Correct what the offers were refused for/);
  });

  it('names as busy with a run only one that is there, not one that has reserved what that leaves', () => {
    const limit = { seconds: 600, stopSeconds: 0 };
    const place = { instanceId: busy.id, blocks: 1, startedAt: NOW, runningAt: NOW };
    const diagnosis = diagnose({
      ...{ job: WAITS, fleets: [LAB], instances: [busy], holders: [held(busy, 'eval')] },
      occupants: [{ ...place, limit }],
      others: [aGang(aRun('ahead', {}, { submittedAt: NOW - 5, priority: 3 }), 0, WAITS)],
    });
    const [row] = diagnosis.considered.filter((one) => one.instance === busy.name);
    expect(row?.text).toBe('is busy with eval');
    expect(diagnosis.ahead.map(({ run }) => run)).toEqual(['ahead']);
  });

  it('is never advised to wait for itself', () => {
    const gang = task('other');
    const own = { ...held(busy, 'train'), run: aNamedRun('train') };
    const diagnosis = diagnose({
      fleets: [LAB],
      instances: [busy],
      others: [gang],
      holders: [own],
    });
    expect(JSON.stringify(diagnosis.fixes)).not.toContain('dstack stop train');
  });
});
