/** Placement in a pool that is shared by weight. */
import { describe, expect, it } from 'vitest';
import type { Decision, Gang, QuotaState, ReservedRecord, ShareState } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { forecastQueue } from './forecast.ts';
import { lookAtGang } from './look-ahead.ts';
import {
  aContext,
  aFleet,
  aGang,
  anInstance,
  anOffer,
  aRun,
  aSnapshot,
  CLOUD,
  changesOf,
  jobChange,
  mayUse,
  placed,
} from './testing.ts';

const HOSTS = aFleet('hosts', { ssh_config: { hosts: ['h'], user: 'u' }, blocks: 'auto' });
const FOUR = anOffer({ gpus: 4, gpu: 'H100', cpus: 32, memoryGb: 256, price: 0 });
const host = (busyBlocks = 0) =>
  anInstance(HOSTS, 0, FOUR, {
    ...{ totalBlocks: 4, busyBlocks, status: busyBlocks > 0 ? 'busy' : 'idle' },
  });
const A = { projectId: 'project-1', userId: 'ann' };
const B = { projectId: 'project-2', userId: 'bob' };

const asks = (name: string, gpu: number, patch: object, more: object = {}): Gang =>
  aGang(aRun(name, { resources: { cpu: '1..', memory: '1GB..', gpu }, ...more }, patch));
const waits = (gang: Gang, patch: object = {}): Gang => ({
  ...gang,
  jobs: gang.jobs.map((job) => ({
    ...{ ...job, refusal: { kind: 'no-fleets' as const }, waitingSince: 1 },
    ...patch,
  })),
});

const weight = (projectId: string, value: number, userId: string | null = null): QuotaState => ({
  quota: {
    ...{ id: `${projectId}-${userId}`, projectId, fleetId: null, userId },
    ...{ guaranteed: null, limits: null, weight: value },
  },
  used: {},
});

const used = (
  holder: { projectId: string; userId: string },
  usage: number,
  gpus = 0,
): ShareState => ({
  ...{ ...holder, usage, rate: gpus * 1_000_000 },
});

function world(gangs: readonly Gang[], states: readonly ShareState[], more: object = {}) {
  return {
    ...{ gangs, fleets: [HOSTS], instances: [host()], quotas: [weight('project-1', 1)] },
    projects: mayUse(['project-1', 'project-2'], [HOSTS]),
    shares: { states, gpuPrices: {} },
    ...more,
  };
}

const started = (decision: Decision): string[] =>
  changesOf(decision, 'job.update')
    .filter(({ set }) => typeof set.instanceId === 'string')
    .map(({ id }) => id.replace(/^job-|-0-0$/g, ''));

describe('a pool that is shared by weight', () => {
  it('gives free capacity to the project that has used less, and counts what it gives at once', () => {
    const gangs = [
      asks('a1', 1, { ...A, submittedAt: 1 }),
      asks('b1', 1, { ...B, submittedAt: 2 }),
      asks('b2', 1, { ...B, submittedAt: 3 }),
    ];
    const states = [used(A, 100, 2), used(B, 100)];
    const decision = placed(world(gangs, states, { instances: [host(2)] }));
    expect(started(decision)).toEqual(['b1', 'b2']);
    expect(started(placed(world(gangs, [used(A, 10), used(B, 12)])))).toHaveLength(3);
  });

  it('counts a claim by its blocks, with the weights of GPUs at that time', () => {
    const a100 = anOffer({ gpus: 4, gpu: 'A100', cpus: 32, memoryGb: 256, price: 4 });
    const instances = [host(3), anInstance(HOSTS, 1, a100, { totalBlocks: 4, busyBlocks: 4 })];
    const shares = { states: [], gpuPrices: { h100: 2_500_000, a100: 1_000_000 } };
    const decision = placed(world([asks('a', 1, A)], [], { instances, shares }));
    expect(jobChange(decision, 'job-a-0-0')?.charge).toMatchObject({
      ...{ userId: 'ann', fleetId: HOSTS.id, amounts: { gpu: 1 } },
      share: { rate: 2_500_000, weights: { h100: 2.5 } },
    });
  });

  it('counts a new machine as the dearest that it may become', () => {
    const offers = [1, 3].map((price, n) =>
      anOffer({ name: `m${price}`, price, gpus: 1, gpu: n === 0 ? 'A100' : 'H100' }),
    );
    const projects = mayUse(['project-1', 'project-2'], [CLOUD]);
    const more = { fleets: [CLOUD], instances: [], projects };
    const gangs = [asks('a', 1, A)].map((gang) => ({
      ...gang,
      run: { ...gang.run, projectId: CLOUD.projectId },
    }));
    const decision = placed(world(gangs, [], more), offers);
    expect(jobChange(decision, 'job-a-0-0')?.charge?.share).toEqual({
      ...{ rate: 3_000_000, weights: { a100: 1, h100: 3 } },
    });
  });

  it('takes no regard of the priority of other projects, and regards it before users in one', () => {
    const gangs = [
      asks('urgent', 4, { ...A, submittedAt: 1, priority: 90 }, { priority: 90 }),
      asks('b', 4, { ...B, submittedAt: 2 }),
    ];
    expect(started(placed(world(gangs, [used(A, 5), used(B, 4)])))).toEqual(['b']);
    const own = [
      asks('of-ann', 4, { ...A, submittedAt: 1 }),
      asks('of-eve', 4, { ...A, userId: 'eve', submittedAt: 2 }),
      asks('more', 4, { ...A, submittedAt: 3, priority: 1 }, { priority: 1 }),
    ];
    expect(started(placed(world(own, [used(A, 5)])))).toEqual(['more']);
    expect(started(placed(world(own.slice(0, 2), [used(A, 5)])))).toEqual(['of-eve']);
    const quotas = [weight('project-1', 1), weight('project-1', 9, 'ann')];
    const states = [used(A, 5), used({ ...A, userId: 'eve' }, 1)];
    expect(started(placed(world(own.slice(0, 2), states, { quotas })))).toEqual(['of-ann']);
  });

  it('puts gangs within a guarantee first, whatever their project has used', () => {
    const guaranteed = { gpu: 4, cpu: null, memory: null, instances: null, cost: null };
    const { quota } = weight('project-1', 1);
    const quotas = [{ quota: { ...quota, guaranteed }, used: {} }];
    const gangs = [asks('a', 4, { ...A, submittedAt: 2 }), asks('b', 4, { ...B, submittedAt: 1 })];
    expect(started(placed(world(gangs, [used(A, 500)], { quotas })))).toEqual(['a']);
    expect(started(placed(world(gangs, [used(A, 500)])))).toEqual(['b']);
  });

  it('leaves a reservation with its holder when ratios change, and to a higher priority of its own project', () => {
    const now = aContext().now;
    const occupants = [
      {
        ...{ instanceId: 'hosts-0', blocks: 3, startedAt: now, runningAt: now },
        limit: { seconds: 3600, stopSeconds: 0 },
      },
    ];
    const reserved: ReservedRecord = {
      ...{ since: now - 1, startsAt: now + 3600 * SECOND },
      shares: [{ instanceId: 'hosts-0', blocks: 4 }],
    };
    const holder = waits(asks('holder', 4, { ...A, submittedAt: 1 }), { reserved });
    const other = waits(asks('other', 4, { ...B, submittedAt: 2, priority: 50 }, { priority: 50 }));
    const small = asks('small', 1, { ...B, submittedAt: 3, priority: 50 }, { priority: 50 });
    const more = { instances: [host(3)], occupants };
    const decision = placed(world([holder, other, small], [used(A, 500)], more));
    expect(started(decision)).toEqual([]);
    expect(jobChange(decision, 'job-other-0-0')?.reserved ?? null).toBeNull();
    expect(jobChange(decision, 'job-holder-0-0')?.reserved).toBeUndefined();
    const own = waits(asks('own', 4, { ...A, submittedAt: 2, priority: 50 }, { priority: 50 }));
    const moved = placed(world([holder, own], [used(A, 500)], more));
    expect(jobChange(moved, 'job-own-0-0')?.reserved).toMatchObject({ shares: reserved.shares });
    expect(jobChange(moved, 'job-holder-0-0')?.reserved).toBeNull();
  });

  it('shows those who wait in the turns that they will have', () => {
    const one = (name: string, holder: object, submittedAt: number) =>
      waits(asks(name, 2, { ...holder, submittedAt }));
    const gangs = [
      ...[one('a1', A, 1), one('a2', A, 2), one('a3', A, 3)],
      ...[one('b1', B, 4), one('b2', B, 5)],
    ];
    const snapshot = aSnapshot(world(gangs, [used(A, 3)], { instances: [host(4)] }));
    const turns = forecastQueue(snapshot, () => [], aContext());
    expect(turns.map(({ gang }) => gang.run.name)).toEqual(['b1', 'b2', 'a1', 'a2', 'a3']);
    const look = lookAtGang(
      snapshot,
      () => [],
      aContext(),
      ({ run }) => run.name === 'a1',
    );
    expect(look?.ahead.map(({ run }) => run.name)).toEqual(['b1', 'b2']);
  });

  it('is decided as ever without a weight, whatever quotas there are', () => {
    const gangs = [
      asks('a1', 1, { ...A, submittedAt: 3 }),
      asks('b1', 1, { ...B, submittedAt: 2 }),
      asks('b2', 1, { ...B, submittedAt: 1, priority: 2 }, { priority: 2 }),
    ];
    const { shares, quotas, ...rest } = world(gangs, [], { instances: [host(2)] });
    const bare = placed(rest);
    expect(started(bare).sort()).toEqual(['b1', 'b2']);
    expect(changesOf(bare, 'job.update').every(({ set }) => set.charge == null)).toBe(true);
    expect(shares && quotas).toHaveLength(1);
  });
});
