/** Guarantees: who comes first, who has to leave, and what is kept for whom. */
import { describe, expect, it } from 'vitest';
import { SECOND } from '../model/values.ts';
import { aFleet, aGang, anInstance, anOffer, aRun, jobChange, mayUse, placed } from './testing.ts';
import {
  A,
  asks,
  B,
  CLUSTER,
  claim,
  ctx,
  decide,
  EIGHT,
  evicted,
  guarantee,
  HOSTS,
  host,
  LONG_AGO,
  NONE,
  waiting,
  world,
} from './testing-reclaim.ts';

describe('a gang within the guarantee of its project', () => {
  const borrowed = [claim('b1', B, 4), claim('b2', B, 4, { claimedAt: LONG_AGO + 9 })];

  it('has enough others leave who borrow, and asks for no job twice', () => {
    const gangs = [asks('a', 4, A, waiting)];
    const decision = decide({ gangs, claims: borrowed, quotas: [guarantee(A, 8)] });
    const [leaving, ...more] = evicted(decision);
    expect(more).toEqual([]);
    expect(jobChange(decision, leaving!)!.eviction).toEqual({
      ...{ runId: 'run-a', replicaNum: 0, kind: 'reclaim', requestedAt: ctx.now, seconds: 60 },
    });
    const { reclaim } = jobChange(decision, 'job-a-0-0')!;
    expect(reclaim).toMatchObject({ instances: ['hosts-0'] });
    expect(decision.signals).toContainEqual({ kind: 'run', id: leaving!.replace('job', 'run') });
    const eviction = jobChange(decision, leaving!)!.eviction!;
    const asked = borrowed.map((one) => (one.jobId === leaving ? { ...one, eviction } : one));
    const again = [asks('a', 4, A, { ...waiting, reclaim: reclaim! })];
    const next = decide({ gangs: again, claims: asked, quotas: [guarantee(A, 8)] });
    expect(evicted(next)).toEqual([]);
  });

  it('ends no job where its project would exceed its guarantee with it', () => {
    const gangs = [asks('a', 4, A, waiting)];
    const claims = [claim('a0', A, 2), claim('b', B, 6)];
    expect(evicted(decide({ gangs, claims, quotas: [guarantee(A, 5)] }))).toEqual([]);
    expect(evicted(decide({ gangs, claims, quotas: [guarantee(A, 6)] }))).toEqual(['job-b']);
  });

  it('ends no job that is within the guarantee of its own project', () => {
    const gangs = [asks('a', 4, A, waiting)];
    const quotas = [guarantee(A, 8), guarantee(B, 8)];
    expect(evicted(decide({ gangs, claims: borrowed, quotas }))).toEqual([]);
    const less = [guarantee(A, 8), guarantee(B, 4)];
    expect(evicted(decide({ gangs, claims: borrowed, quotas: less }))).toEqual(['job-b2']);
  });

  it('waits for those that have just started, also without retry, and looks again when they may leave', () => {
    const young = borrowed.map((one) => ({ ...one, runningAt: ctx.now - 100 * SECOND }));
    const decision = decide({
      ...{ gangs: [asks('a', 4, A, waiting)], claims: young, quotas: [guarantee(A, 8)] },
    });
    expect(evicted(decision)).toEqual([]);
    expect(jobChange(decision, 'job-a-0-0')?.reclaim).toMatchObject({ runs: [] });
    expect(decision.again).toBe(ctx.now + 200 * SECOND);
  });

  it('leaves the last ready replica of a service alone', () => {
    const service = claim('b', B, 8, { isService: true, isReady: true });
    const gangs = [asks('a', 4, A, waiting)];
    const quotas = [guarantee(A, 8)];
    expect(evicted(decide({ gangs, claims: [service], quotas }))).toEqual([]);
    const other = { ...service, replicaNum: 1, jobId: 'job-b-1', blocks: 4 };
    const claims = [{ ...service, blocks: 4 }, other];
    expect(evicted(decide({ gangs, claims, quotas }))).toHaveLength(1);
  });

  it('leaves a service one of the replicas that serve, however many of them borrow', () => {
    const replica = (num: number) =>
      claim('b', B, 4, {
        ...{ isService: true, isReady: true },
        ...{ replicaNum: num, jobId: `job-b-${num}` },
      });
    const claims = [replica(0), replica(1)];
    const quotas = [guarantee(A, 8)];
    expect(evicted(decide({ gangs: [asks('a', 8, A, waiting)], claims, quotas }))).toEqual([]);
    const gangs = [asks('a1', 4, A, waiting), asks('a2', 4, A, waiting)];
    expect(evicted(decide({ gangs, claims, quotas }))).toHaveLength(1);
  });

  it('does not wait for others of its project that take back other parts of a host', () => {
    const claims = Array.from({ length: 8 }, (_, n) => claim(`b${n}`, B, 1));
    const gangs = Array.from({ length: 8 }, (_, n) => asks(`a${n}`, n < 2 ? 2 : 1, A, waiting));
    const quotas = [guarantee(A, 8)];
    const decision = decide({ gangs, claims, quotas });
    expect(evicted(decision)).toHaveLength(8);
    const reclaim = jobChange(decision, 'job-a0-0-0')?.reclaim ?? null;
    expect(reclaim?.shares).toEqual([{ instanceId: 'hosts-0', blocks: 2 }]);
    // One of those who leave for the first gang has left: the second gang gets nothing of it.
    const asked = claims.flatMap((one) => {
      const { eviction = null } = jobChange(decision, one.jobId) ?? {};
      return eviction?.runId === 'run-a0' ? [{ ...one, eviction }] : [];
    });
    expect(asked).toHaveLength(2);
    const rest = claims.filter(({ jobId }) => !asked.some((one) => one.jobId === jobId));
    const first = asks('a0', 2, A, { ...waiting, reclaim });
    const next = decide({
      ...{ gangs: [first, asks('a1', 1, A, waiting)], instances: [host(0, 7)], quotas },
      claims: [...asked.slice(1), ...rest],
    });
    expect(evicted(next)).toHaveLength(1);
  });

  it.each([
    ['a host that is not divided', 1, 1],
    ['two of three hosts for its nodes', 3, 2],
  ])('gets %s', (_, hosts, nodes) => {
    const cluster = aFleet('cluster', CLUSTER);
    const whole = { totalBlocks: 1, busyBlocks: 1, status: 'busy' as const };
    const instances = Array.from({ length: hosts }, (_, n) =>
      anInstance(cluster, n, anOffer({ cpus: 8, memoryGb: 64 }), whole),
    );
    const claims = instances.map(({ id }, n) => claim(`b${n}`, B, 1, { instanceId: id }));
    const resources = { cpu: '8..', memory: '1GB..' };
    const gang = aGang(aRun('a', { resources, nodes }, { projectId: A }), 0, waiting);
    const quota = { ...guarantee(A, 0).quota, guaranteed: { ...NONE, cpu: 16 } };
    const decision = decide({
      ...{ fleets: [cluster], instances, projects: mayUse([A, B], [cluster]) },
      ...{ gangs: [gang], claims, quotas: [{ quota, used: {} }] },
    });
    expect(evicted(decision)).toHaveLength(nodes);
  });

  it.each([20, 60])(
    'gets as many whole hosts as its %i nodes need, however many jobs leave',
    (nodes) => {
      const cluster = aFleet('cluster', { ...CLUSTER, blocks: 8 });
      const state = { totalBlocks: 8, busyBlocks: 8, status: 'busy' as const };
      const instances = Array.from({ length: nodes + 3 }, (_, n) =>
        anInstance(cluster, n, EIGHT, state),
      );
      const claims = instances.flatMap(({ id }, host) =>
        Array.from({ length: 8 }, (_, n) => claim(`b${host}-${n}`, B, 1, { instanceId: id })),
      );
      const resources = { cpu: '1..', memory: '1GB..', gpu: 8 };
      const gang = aGang(aRun('a', { resources, nodes }, { projectId: A }), 0, waiting);
      const decision = decide({
        ...{ fleets: [cluster], instances, projects: mayUse([A, B], [cluster]) },
        ...{ gangs: [gang], claims, quotas: [guarantee(A, 8 * nodes)] },
      });
      expect(evicted(decision)).toHaveLength(8 * nodes);
    },
  );

  it('takes nothing back that is guaranteed once those have left whom another one has asked', () => {
    const eviction = { runId: 'run-x', replicaNum: 0, kind: 'reclaim' as const };
    const asked = { ...eviction, requestedAt: ctx.now, seconds: 60 };
    const claims = [
      claim('b1', B, 2, { claimedAt: LONG_AGO }),
      claim('b2', B, 4, { claimedAt: LONG_AGO + 1, eviction: asked }),
      claim('b3', B, 2, { claimedAt: LONG_AGO + 2 }),
    ];
    const x = asks('x', 4, A, {
      ...waiting,
      reclaim: { since: 1, runs: ['run-b2'], instances: [] },
    });
    const gangs = [x, asks('a', 2, A, waiting)];
    const decided = (guaranteed: number) =>
      evicted(decide({ gangs, claims, quotas: [guarantee(A, 8), guarantee(B, guaranteed)] }));
    expect(decided(4)).toEqual([]);
    expect(decided(3)).toEqual(['job-b3']);
  });

  it('gets a whole host of many on which small jobs borrow', () => {
    const hosts = Array.from({ length: 40 }, (_, n) => host(n));
    const claims = hosts.flatMap(({ id }, n) =>
      [0, 1, 2, 3].map((k) =>
        claim(`b${n}-${k}`, B, 2, { instanceId: id, runningAt: LONG_AGO + (k * 40 + n) * SECOND }),
      ),
    );
    const gangs = [asks('a', 8, A, waiting)];
    const decision = decide({ gangs, instances: hosts, claims, quotas: [guarantee(A, 8)] });
    const left = evicted(decision).map((id) => id.split('-')[1]);
    expect([left.length, new Set(left).size]).toEqual([4, 1]);
  });

  it('takes nothing from a gang of which a node has ended, without a gang that is owed its place', () => {
    const cluster = aFleet('cluster', CLUSTER);
    const whole = { totalBlocks: 1, busyBlocks: 1, status: 'busy' as const };
    const instances = [0, 1].map((n) => anInstance(cluster, n, EIGHT, whole));
    // Its first node has ended well, and another project uses that place.
    const claims = [
      claim('b', B, 1, { instanceId: 'cluster-1', jobId: 'job-b-1' }),
      claim('c', B, 1, { instanceId: 'cluster-0' }),
    ];
    const gangs = [asks('a', 8, A, waiting)];
    const world = { fleets: [cluster], instances, projects: mayUse([A, B], [cluster]), claims };
    expect(evicted(decide({ ...world, gangs, quotas: [guarantee(B, 8)] }))).toEqual([]);
    expect(evicted(decide({ ...world, gangs, quotas: [guarantee(A, 8)] }))).toHaveLength(1);
  });

  it('takes nothing from a project within its own guarantee of another resource', () => {
    const gangs = [asks('a', 8, A, waiting)];
    const claims = [claim('b', B, 8)];
    const { quota } = guarantee(B, 0);
    const named = { ...quota, guaranteed: { ...NONE, gpu: { H100: 8 } } };
    const quotas = [guarantee(A, 8), { quota: named, used: {} }];
    expect(evicted(decide({ gangs, claims, quotas }))).toEqual([]);
    const less = { ...quota, guaranteed: { ...NONE, gpu: { H100: 4 } } };
    const borrows = [guarantee(A, 8), { quota: less, used: {} }];
    expect(evicted(decide({ gangs, claims, quotas: borrows }))).toEqual(['job-b']);
  });

  it('counts what the lender is guaranteed on a fleet for claims on that fleet alone', () => {
    const gangs = [asks('a', 8, A, waiting)];
    const claims = [claim('b', B, 8)];
    const { quota, used } = guarantee(B, 8);
    const on = (fleetId: string) => [guarantee(A, 8), { quota: { ...quota, fleetId }, used }];
    expect(evicted(decide({ gangs, claims, quotas: on(HOSTS.id) }))).toEqual([]);
    expect(evicted(decide({ gangs, claims, quotas: on('another') }))).toEqual(['job-b']);
  });

  it('counts what a lender uses where the gang may not go', () => {
    const gangs = [asks('a', 8, A, waiting)];
    const charge = { userId: 'u', fleetId: 'own', claimedAt: 1, amounts: { gpu: 8 } };
    const elsewhere = claim('b0', B, 8, { instanceId: 'unknown', charge, claimedAt: 1 });
    const quotas = [guarantee(A, 8), guarantee(B, 8)];
    const here = claim('b', B, 8);
    expect(evicted(decide({ gangs, claims: [here], quotas }))).toEqual([]);
    expect(evicted(decide({ gangs, claims: [elsewhere, here], quotas }))).toEqual(['job-b']);
  });

  it('keeps nothing from others that it could never use', () => {
    const resources = { cpu: '1..', memory: '1GB..', gpu: 8 };
    const pair = aGang(aRun('a', { nodes: 2, resources }, { projectId: A }), 0, waiting);
    const cluster = { ...HOSTS, spec: aFleet('hosts', CLUSTER).spec };
    const part = {
      ...{ fleets: [cluster], projects: mayUse([A, B], [cluster]), instances: [host(0, 0)] },
      ...{ gangs: [pair, asks('b', 4, B)], claims: [], quotas: [guarantee(A, 16)] },
    };
    expect(jobChange(decide(part), 'job-b-0-0')?.instanceId).toBe('hosts-0');
  });

  it('keeps no one from growing a fleet that may not grow for it, or has no offer for it', () => {
    const cloud = aFleet('cloud');
    const small = anOffer({ gpus: 1, gpu: 'T4', cpus: 8, memoryGb: 32 });
    const grows = (projectId: string, gpu: number) => {
      const gangs = [asks('a', gpu, projectId, waiting), asks('b', 1, A)];
      const part = {
        ...{ fleets: [cloud], instances: [], projects: mayUse([A, B], [cloud]) },
        ...{ gangs, claims: [], quotas: [guarantee(projectId, 8)] },
      };
      const decision = placed(world(part), [small], ctx);
      return (jobChange(decision, 'job-b-0-0')?.instanceId ?? null) !== null;
    };
    expect([grows(B, 1), grows(B, 8), grows(A, 8)]).toEqual([true, true, true]);
  });

  it('is not protected from by a start that the clock has left behind', () => {
    const gangs = [asks('a', 8, A, waiting)];
    const quotas = [guarantee(A, 8)];
    const ahead = (seconds: number) => [
      claim('b', B, 8, { runningAt: ctx.now + seconds * SECOND }),
    ];
    expect(evicted(decide({ gangs, claims: ahead(2), quotas }))).toEqual([]);
    expect(evicted(decide({ gangs, claims: ahead(3600), quotas }))).toEqual(['job-b']);
  });

  it('signals those it has asked when it is not entitled any more', () => {
    const reclaim = { since: 1, runs: ['run-b1'], instances: ['hosts-0'] };
    const gangs = [asks('a', 4, A, { ...waiting, reclaim })];
    const decision = decide({ gangs, quotas: [] });
    expect(jobChange(decision, 'job-a-0-0')?.reclaim).toBeNull();
    expect(decision.signals).toContainEqual({ kind: 'run', id: 'run-b1' });
  });

  it('looks at nothing again where many gangs ask in vain', () => {
    const gangs = Array.from({ length: 12 }, (_, n) => asks(`a${n}`, (n % 6) + 2, A, waiting));
    const quotas = [guarantee(A, 100), guarantee(B, 8)];
    const decision = decide({ gangs, claims: [claim('b', B, 8)], quotas });
    expect(evicted(decision)).toEqual([]);
    expect(decision.again).toBeNull();
  });

  it('asks for no job while what ends anyway is enough, and for none where preemption is off', () => {
    const gangs = [asks('a', 4, A, waiting)];
    const quotas = [guarantee(A, 8)];
    const [first, second] = borrowed;
    const ending = [{ ...first!, isEnding: true }, second!];
    expect(evicted(decide({ gangs, claims: ending, quotas }))).toEqual([]);
    const off = { preemption: { mode: 'off', minRuntime: 0, grace: 60 } };
    expect(evicted(decide({ gangs, claims: borrowed, quotas }, off))).toEqual([]);
    const ssh = { ssh_config: { hosts: ['h'], user: 'u' }, blocks: 'auto' };
    const fleetWith = (mode: string) => [aFleet('hosts', { ...ssh, preemption: { mode } })];
    const here = { gangs, claims: borrowed, quotas };
    expect(evicted(decide({ ...here, fleets: fleetWith('off') }))).toEqual([]);
    expect(evicted(decide({ ...here, fleets: fleetWith('reclaim') }, off))).toHaveLength(1);
  });

  it('comes before others of any priority, and others that borrow do not get what it could use', () => {
    const urgent = aGang(
      aRun(
        'b',
        { resources: { cpu: '1..', memory: '1GB..', gpu: 4 }, priority: 90 },
        { projectId: B },
      ),
    );
    const gangs = [urgent, asks('a', 4)];
    const quotas = [guarantee(A, 8)];
    const half = world({ gangs, quotas, claims: [], instances: [host(0, 4)] });
    const decision = placed(half, [], ctx);
    expect(jobChange(decision, 'job-a-0-0')?.instanceId).toBe('hosts-0');
    const large = [urgent, asks('a', 8, A, waiting)];
    const claims = [claim('b0', B, 4)];
    const kept = placed(world({ gangs: large, quotas, claims, instances: [host(0, 4)] }), [], ctx);
    expect(jobChange(kept, 'job-b-0-0')?.instanceId ?? null).toBeNull();
    expect(evicted(kept)).toEqual(['job-b0']);
  });

  it('counts gangs of its project that wait before it against the guarantee', () => {
    const gangs = [asks('a1', 4, A, waiting), asks('a2', 4, A, waiting)];
    const decision = decide({ gangs, claims: borrowed, quotas: [guarantee(A, 4)] });
    expect(evicted(decision)).toHaveLength(1);
  });
});
