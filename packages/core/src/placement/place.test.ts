import { describe, expect, it } from 'vitest';
import {
  aContext,
  aFleet,
  aGang,
  anInstance,
  anOffer,
  aRun,
  CLOUD,
  changesOf,
  jobChange,
  placed,
  refusedWith,
  task,
} from './testing.ts';

const SSH = aFleet('ssh', { ssh_config: { hosts: ['h'], user: 'u' } });

describe('a run without a place', () => {
  it('is refused with the phrase that clients show as `no fleets` if the project has none', () => {
    const decision = placed({ gangs: [task('a')] });
    expect(jobChange(decision, 'job-a-0-0')).toEqual({ refusal: { kind: 'no-fleets' } });
    expect(refusedWith(decision, 'job-a-0-0')).toContain('No matching fleet found');
    expect(decision.signals).toEqual([{ kind: 'run', id: 'run-a' }]);
  });

  it('is refused with the names of missing fleets', () => {
    const decision = placed({ fleets: [CLOUD], gangs: [task('a', { fleets: ['other'] })] });
    expect(refusedWith(decision, 'job-a-0-0')).toBe(
      'No matching fleet found: none of the specified fleets (other) exists',
    );
  });

  it('does not block those behind it', () => {
    const gangs = [task('big', { resources: { gpu: 'H100:8' } }), task('small')];
    const decision = placed({ fleets: [CLOUD], instances: [anInstance(CLOUD, 0)], gangs });
    expect(refusedWith(decision, 'job-big-0-0')).not.toBeNull();
    expect(jobChange(decision, 'job-small-0-0')?.status).toBe('provisioning');
  });

  it('is refused with the number of nodes it needs at once', () => {
    const ssh = aFleet('ssh', { placement: 'cluster', ssh_config: { hosts: ['h'], user: 'u' } });
    const instances = [0, 1].map((num) => anInstance(ssh, num, anOffer(), BUSY_IF_ODD(num)));
    const decision = placed({ fleets: [ssh], instances, gangs: [task('a', { nodes: 2 })] });
    expect(refusedWith(decision, 'job-a-0-0')).toBe(
      'Fleet ssh is at capacity: 2 nodes are needed at once, instances: 1 busy',
    );
  });

  it('is refused with the number of nodes if the fleet has fewer hosts', () => {
    const ssh = aFleet('ssh', { placement: 'cluster', ssh_config: { hosts: ['h'], user: 'u' } });
    const decision = placed({
      fleets: [ssh],
      instances: [anInstance(ssh, 0)],
      gangs: [task('a', { nodes: 2 })],
    });
    expect(refusedWith(decision, 'job-a-0-0')).toBe(
      'No fleet can take the run (ssh: 2 nodes are needed at once)',
    );
  });

  it('is refused with what the hosts lack if the fleet can never take it', () => {
    const gangs = [task('a', { resources: { cpu: '500..' } })];
    const decision = placed({ fleets: [SSH], instances: [anInstance(SSH, 0)], gangs });
    expect(refusedWith(decision, 'job-a-0-0')).toBe(
      'No fleet can take the run (ssh: instances: 1 where `cpu` is 8, asked for 500..)',
    );
  });

  it('is refused with every rule that an instance fails', () => {
    const gangs = [task('a', { regions: ['eu'], resources: { cpu: '500..' } })];
    const decision = placed({ fleets: [SSH], instances: [anInstance(SSH, 0)], gangs });
    expect(refusedWith(decision, 'job-a-0-0')).toContain('`regions` is us-east-1, asked for eu');
    expect(refusedWith(decision, 'job-a-0-0')).toContain('`cpu` is 8, asked for 500..');
  });

  it('of several nodes does not wait for hosts that do not reach each other', () => {
    const cluster = aFleet('c', { placement: 'cluster', ssh_config: { hosts: ['a'], user: 'u' } });
    const busy = { status: 'busy' as const, busyBlocks: 1 };
    const apart = ['eu', 'us'].map((region, n) =>
      anInstance(cluster, n, anOffer({ region }), busy),
    );
    const gangs = [task('a', { nodes: 2 }), task('small')];
    const decision = placed({ fleets: [cluster], instances: apart, gangs });
    expect(jobChange(decision, 'job-a-0-0')?.refusal).toMatchObject({
      fleets: [{ verdict: 'never' }],
    });
    const together = apart.map((one) => ({ ...one, region: 'eu' }));
    const later = placed({ fleets: [cluster], instances: together, gangs });
    expect(jobChange(later, 'job-a-0-0')?.refusal).toMatchObject({ fleets: [{ verdict: 'full' }] });
  });

  it('does not wait for a host that is being added where it excludes its place', () => {
    const added = { offer: null, status: 'pending' as const, totalBlocks: null };
    const machine = anOffer({ backend: 'remote', region: 'remote' });
    const instances = [anInstance(SSH, 0, machine, added)];
    for (const [keys, verdict] of [
      [{ backends: ['aws'] }, 'never'],
      [{ regions: ['eu-west-1'] }, 'never'],
      [{}, 'full'],
    ] as const) {
      const decision = placed({ fleets: [SSH], instances, gangs: [task('a', keys)] });
      const { refusal } = jobChange(decision, 'job-a-0-0') ?? {};
      expect(refusal).toMatchObject({ fleets: [{ verdict }] });
    }
  });

  it('of several replicas waits for the blocks of one host', () => {
    const full = { status: 'busy' as const, totalBlocks: 4, busyBlocks: 4 };
    const instances = [anInstance(SSH, 0, anOffer({ cpus: 8 }), full)];
    const service = { type: 'service', port: 80, replicas: 3, resources: { cpu: '2' } };
    const decision = placed({ fleets: [SSH], instances, gangs: [task('a', service)] });
    expect(refusedWith(decision, 'job-a-0-0')).toContain('Fleet ssh is at capacity');
  });

  it('is refused with the limit of a fleet only if the limit is the cause', () => {
    const two = aFleet('two', { nodes: '0..2', placement: 'cluster' });
    const instances = [anInstance(two, 0, anOffer({ region: 'eu' }))];
    const elsewhere = [anOffer({ region: 'us' })];
    const gangs = [task('a', { nodes: 2 })];
    const decision = placed({ fleets: [two], instances, gangs }, elsewhere);
    expect(refusedWith(decision, 'job-a-0-0')).toContain('no place for all 2 nodes in one region');
  });

  it('is marked once: nothing is written while nothing changes', () => {
    const refused = { refusal: { kind: 'no-fleets' } as const, waitingSince: 5 };
    const decision = placed({ gangs: [aGang(aRun('a'), 0, refused)] });
    expect(decision.changes).toEqual([]);
    expect(decision.signals).toEqual([]);
  });
});

const BUSY_IF_ODD = (num: number) =>
  num % 2 === 1 ? { status: 'busy' as const, busyBlocks: 1 } : {};

describe('runs that wait for capacity', () => {
  const WAITS = { refusal: { kind: 'no-fleets' } as const, waitingSince: 5 };
  const waiting = (name: string, configuration: object = {}, submittedAt = 1) =>
    aGang(aRun(name, configuration, { submittedAt }), 0, WAITS);
  const cluster = aFleet('cluster', {
    placement: 'cluster',
    ssh_config: { hosts: ['a', 'b'], user: 'u' },
  });

  it('come before those submitted later, in their order', () => {
    const gangs = [task('young'), waiting('second', {}, 2), waiting('first', {}, 1)];
    const decision = placed({ fleets: [SSH], instances: [anInstance(SSH, 0)], gangs });
    expect(jobChange(decision, 'job-first-0-0')).toMatchObject({
      status: 'provisioning',
      refusal: null,
      waitingSince: null,
    });
    expect(jobChange(decision, 'job-second-0-0')).toBeUndefined();
    expect(refusedWith(decision, 'job-young-0-0')).not.toBeNull();
  });

  it('come after more urgent ones', () => {
    const urgent = task('urgent', { priority: 50 });
    const gangs = [waiting('first'), urgent];
    const decision = placed({ fleets: [SSH], instances: [anInstance(SSH, 0)], gangs });
    expect(jobChange(decision, 'job-urgent-0-0')?.status).toBe('provisioning');
  });

  it('hold what several nodes need at once, against smaller runs behind them', () => {
    const instances = [0, 1].map((num) => anInstance(cluster, num, anOffer(), BUSY_IF_ODD(num)));
    const gangs = [waiting('big', { nodes: 2 }), task('small')];
    const decision = placed({ fleets: [cluster], instances, gangs });
    expect(refusedWith(decision, 'job-small-0-0')).toContain('1 held for a run that is ahead');
  });

  it('let smaller runs use what they cannot (backfill)', () => {
    const instances = [
      anInstance(cluster, 0, anOffer({ gpus: 1 })),
      anInstance(cluster, 1, anOffer({ gpus: 1 }), { status: 'busy', busyBlocks: 1 }),
      anInstance(cluster, 2),
    ];
    const gangs = [waiting('big', { nodes: 2, resources: { gpu: 1 } }), task('small')];
    const decision = placed({ fleets: [cluster], instances, gangs });
    expect(jobChange(decision, 'job-small-0-0')?.instanceId).toBe('cluster-2');
  });

  it('hold nothing in a fleet that could never take them', () => {
    const gangs = [waiting('big', { nodes: 3 }), task('small')];
    const decision = placed({ fleets: [cluster], instances: [anInstance(cluster, 0)], gangs });
    expect(jobChange(decision, 'job-small-0-0')?.instanceId).toBe('cluster-0');
  });

  it('hold the free blocks of an instance that they need whole', () => {
    const busy = { totalBlocks: 4, busyBlocks: 1, status: 'busy' as const };
    const instances = [anInstance(SSH, 0, anOffer({ cpus: 8 }), busy)];
    const gangs = [waiting('whole', { resources: { cpu: 8 } }), task('part')];
    const decision = placed({ fleets: [SSH], instances, gangs });
    expect(refusedWith(decision, 'job-part-0-0')).toContain('1 held for a run that is ahead');
  });

  it('hold a place for an instance that is yet to be created', () => {
    const two = aFleet('two', { nodes: '0..2', placement: 'cluster' });
    const instances = [anInstance(two, 0, anOffer(), { status: 'busy', busyBlocks: 1 })];
    const gangs = [waiting('big', { nodes: 2 }), task('small')];
    const decision = placed({ fleets: [two], instances, gangs }, [anOffer()]);
    expect(changesOf(decision, 'instance.insert')).toEqual([]);
  });

  it('are examined once per demand class', () => {
    const gangs = Array.from({ length: 50 }, (_, i) => waiting(`w${i}`, {}, i));
    const decision = placed({ fleets: [SSH], instances: [anInstance(SSH, 0)], gangs });
    expect(decision.summary).toMatchObject({ gangs: 50, placed: 1, refused: 0 });
    expect(decision.changes.filter((change) => change.type === 'job.update')).toHaveLength(1);
  });

  it('are loaded in further passes as long as they find a place', () => {
    const gangs = [waiting('a')];
    const more = new Set([gangs[0]?.jobs[0]?.demand ?? '']);
    const instances = [anInstance(SSH, 0)];
    const going = placed({ fleets: [SSH], instances, gangs, more });
    expect(going.signals).toContainEqual({ kind: 'pool', id: 'pool-1' });
    const ended = placed({ fleets: [SSH], instances: [], gangs, more });
    expect(ended.signals).toEqual([]);
  });

  it('are refused for good once the host whose connection was lost does not return', () => {
    const { now } = aContext();
    const lost = (secondsAgo: number) =>
      anInstance(SSH, 0, anOffer(), {
        unreachable: true,
        unreachableSince: now - secondsAgo * 1_000_000,
      });
    const first = placed({ fleets: [SSH], instances: [lost(6)], gangs: [task('a')] });
    const text = 'Fleet ssh cannot take the run now: instances: 1 being connected again';
    expect(refusedWith(first, 'job-a-0-0')).toBe(text);
    const refusal = jobChange(first, 'job-a-0-0')?.refusal ?? null;
    const gangs = [aGang(aRun('a'), 0, { ...WAITS, refusal })];
    const meanwhile = placed({ fleets: [SSH], instances: [lost(59)], gangs });
    expect(meanwhile.changes).toEqual([]);
    const later = placed({ fleets: [SSH], instances: [lost(60)], gangs });
    expect(refusedWith(later, 'job-a-0-0')).toContain('1 unreachable');
  });

  it('ask backends without signals again, less often the longer they wait', () => {
    const at = (waitingSince: number) => {
      const gang = aGang(aRun('a'), 0, { ...WAITS, waitingSince });
      const ctx = aContext();
      const decision = placed({ gangs: [gang], hasPolledBackends: true }, [], ctx);
      return ((decision.again ?? 0) - ctx.now) / 1_000_000;
    };
    const { now } = aContext();
    expect(at(now)).toBe(15);
    expect(at(now - 60_000_000)).toBe(30);
    expect(at(now - 3600_000_000)).toBe(300);
    expect(placed({ gangs: [waiting('a')] }).again).toBeNull();
    // The first refusal is the beginning of the wait: no other pass may ever follow.
    const first = placed({ gangs: [task('a')], hasPolledBackends: true }, [], aContext());
    expect(first.again).toBe(now + 15_000_000);
  });
});

it('a job that is being stopped is not placed', () => {
  const gang = aGang(aRun('a'), 0, { stopRequestedAt: 1 });
  const decision = placed({ fleets: [CLOUD], instances: [anInstance(CLOUD, 0)], gangs: [gang] });
  expect(decision.changes).toEqual([]);
});
