/** Quotas as an account of the ledger. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Amounts, QuotaRecord, QuotaState } from '../model/index.ts';
import { chargedUser } from '../quotas/accounts.ts';
import { plus, termsAmounts } from '../quotas/amounts.ts';
import { wantsBackendOffers } from './look-ahead.ts';
import {
  aFleet,
  aGang,
  anInstance,
  anOffer,
  aRun,
  aSnapshot,
  CLOUD,
  changesOf,
  jobChange,
  localOffer,
  NOW,
  placed,
  refusedWith,
} from './testing.ts';
import { worlds } from './testing-worlds.ts';

const NO_LIMIT = { gpu: null, cpu: null, memory: null, instances: null, cost: null, runs: null };

function aQuota(
  limits: Partial<NonNullable<QuotaRecord['limits']>>,
  patch: Partial<QuotaRecord> = {},
  used: QuotaState['used'] = {},
): QuotaState {
  const quota = {
    ...{ id: `quota-${patch.userId ?? ''}-${patch.fleetId ?? ''}`, projectId: 'project-1' },
    ...{ fleetId: null, userId: null, guaranteed: null, weight: null },
    limits: { ...NO_LIMIT, ...limits },
    ...patch,
  };
  return { quota, used };
}

const HOSTS = aFleet('hosts', { ssh_config: { hosts: ['h'], user: 'u' }, blocks: 'auto' });
const EIGHT = anOffer({ gpus: 8, gpu: 'H100', cpus: 64, memoryGb: 512 });
const host = (num: number, busyBlocks = 0) =>
  anInstance(HOSTS, num, EIGHT, {
    ...{ totalBlocks: 8, busyBlocks, status: busyBlocks > 0 ? 'busy' : 'idle' },
  });
const asks = (name: string, gpu: string | number, patch: object = {}, more: object = {}) =>
  aGang(aRun(name, { resources: { cpu: '1..', memory: '1GB..', gpu }, ...more }, patch));
const waiting = { refusal: { kind: 'no-fleets' as const }, waitingSince: 1, demand: 'd' };

const isPlaced = (decision: ReturnType<typeof placed>, name: string): boolean =>
  typeof jobChange(decision, `job-${name}-0-0`)?.instanceId === 'string';

describe('a run of a project with a quota', () => {
  it('is placed within the limit and charged what it takes, beside what is used', () => {
    const quotas = [aQuota({ gpu: 8 }, {}, { '': { gpu: 6 } })];
    const gangs = [asks('two', 2, { submittedAt: 1 }), asks('one', 1)];
    const decision = placed({ gangs, quotas, fleets: [HOSTS], instances: [host(0)] });
    expect(isPlaced(decision, 'two')).toBe(true);
    expect(jobChange(decision, 'job-two-0-0')?.charge).toEqual({
      ...{ userId: gangs[0]!.run.userId, fleetId: HOSTS.id, claimedAt: expect.any(Number) },
      amounts: expect.objectContaining({ gpu: 2, 'gpu:h100': 2, cpu: 16_000, instances: 250_000 }),
    });
    expect(refusedWith(decision, 'job-one-0-0')).toBe('Quota: 8 of 8 GPUs used, this run needs 1');
  });

  it("is charged and limited to a part of a CPU on a share of the server's machine", () => {
    const lap = aFleet('lap', { nodes: '0..1', blocks: 4 });
    const shared = anInstance(lap, 0, localOffer(), { totalBlocks: 4, busyBlocks: 0 });
    const run = aRun('part', { resources: { memory: '1GB..' } });
    const decision = placed({
      ...{ gangs: [aGang(run)], quotas: [aQuota({ cpu: 1 })], fleets: [lap] },
      instances: [shared],
    });
    const change = jobChange(decision, 'job-part-0-0');
    expect(change?.charge?.amounts).toMatchObject({ cpu: 250, instances: 250_000 });
    // An agent takes a limit of 0 for none.
    expect(change?.runtimeData).toMatchObject({ cpu: 0.25, memory: 1 });
  });

  it.each([3, 6, 7])(
    'uses no more with all %i shares of a CPU than the CPU, which is its quota',
    (blocks) => {
      const lap = aFleet('lap', { nodes: '0..1', blocks });
      const shared = anInstance(lap, 0, localOffer(), { totalBlocks: blocks, busyBlocks: 0 });
      const runs = Array.from({ length: blocks }, (_, n) => aRun(`part-${n}`));
      const decision = placed({
        ...{ gangs: runs.map((run) => aGang(run)), quotas: [aQuota({ cpu: 1 })], fleets: [lap] },
        instances: [shared],
      });
      const charges = runs.map(({ name }) => jobChange(decision, `job-${name}-0-0`)?.charge);
      const cpus = charges.map((charge) => charge?.amounts.cpu ?? Number.NaN);
      expect(cpus).toEqual(runs.map(() => Math.floor(1000 / blocks)));
    },
  );

  it('carries no charge where the project has no quota', () => {
    const others = [aQuota({ gpu: 0 }, { projectId: 'project-2' })];
    const decision = placed({
      ...{ gangs: [asks('two', 2)], quotas: others, fleets: [HOSTS], instances: [host(0)] },
    });
    expect(jobChange(decision, 'job-two-0-0')?.charge ?? null).toBeNull();
    expect(isPlaced(decision, 'two')).toBe(true);
  });

  it('waits for a quota of one user while others with equal work are placed', () => {
    const quotas = [aQuota({ gpu: 2 }, { userId: '*' }, { ann: { gpu: 2 } })];
    const gangs = [asks('of-ann', 2, { userId: 'ann' }), asks('of-bob', 2, { userId: 'bob' })];
    const decision = placed({ gangs, quotas, fleets: [HOSTS], instances: [host(0)] });
    expect(refusedWith(decision, 'job-of-ann-0-0')).toBe(
      'Quota of the user: 2 of 2 GPUs used, this run needs 2',
    );
    expect(isPlaced(decision, 'of-bob')).toBe(true);
  });

  it('uses another fleet than the one whose quota is used up', () => {
    const spare = aFleet('spare', { ssh_config: { hosts: ['h'], user: 'u' }, blocks: 'auto' });
    const instances = [
      host(0),
      anInstance(spare, 0, { ...EIGHT, price: 9 }, { totalBlocks: 8, busyBlocks: 0 }),
    ];
    const quotas = [aQuota({ gpu: 0 }, { fleetId: HOSTS.id })];
    const decision = placed({ gangs: [asks('two', 2)], quotas, fleets: [HOSTS, spare], instances });
    expect(jobChange(decision, 'job-two-0-0')?.instanceId).toBe('spare-0');
  });

  it('takes GPUs whose name still has a rest', () => {
    const a100 = anOffer({ gpus: 8, gpu: 'A100', cpus: 64, memoryGb: 512, price: 9 });
    const instances = [host(0), anInstance(HOSTS, 1, a100, { totalBlocks: 8, busyBlocks: 0 })];
    const quotas = [aQuota({ gpu: { h100: 1, A100: 4 } })];
    const decision = placed({ gangs: [asks('two', 2)], quotas, fleets: [HOSTS], instances });
    expect(jobChange(decision, 'job-two-0-0')?.instanceId).toBe('hosts-1');
  });

  it('orders no machine whose cost exceeds the rest, and is charged the dearest that it may get', () => {
    const quotas = [aQuota({ cost: 5 }, {}, { '': { cost: 1_000_000 } })];
    const offers = [1, 3, 6].map((price) => anOffer({ name: `m${price}`, price, gpus: 1 }));
    const decision = placed({ gangs: [asks('one', '1..')], quotas, fleets: [CLOUD] }, offers);
    const [create] = changesOf(decision, 'intent.insert');
    const payload = create?.intent.payload;
    expect(payload?.kind === 'instance.create' && payload.offers.map(({ price }) => price)).toEqual(
      [1, 3],
    );
    expect(jobChange(decision, 'job-one-0-0')?.charge?.amounts.cost).toBe(3_000_000);
  });

  it('is not asked about at the backends while a quota keeps it back', () => {
    const quotas = [aQuota({ gpu: 0 })];
    const gangs = [asks('one', 1)];
    expect(wantsBackendOffers(aSnapshot({ gangs, quotas, fleets: [CLOUD] }), NOW)).toEqual([]);
    expect(wantsBackendOffers(aSnapshot({ gangs, fleets: [CLOUD] }), NOW)).toHaveLength(1);
  });
});

describe('the first run that a quota keeps back', () => {
  const gang = asks('four', 4, { submittedAt: 1 });
  const head = { ...gang, jobs: gang.jobs.map((job) => ({ ...job, ...waiting })) };

  it('keeps the rest of the quota from smaller runs behind it, but no capacity from others', () => {
    const quotas = [aQuota({ gpu: 8 }, {}, { '': { gpu: 7 } })];
    const gangs = [head, asks('one', 1), asks('other', 1, { projectId: 'project-2' })];
    const projects = new Map(
      ['project-1', 'project-2'].map((id) => [
        id,
        { fleets: new Set([HOSTS.id]), offersOnly: new Set<never>(), hasPolledBackends: false },
      ]),
    );
    const world = { quotas, projects, fleets: [HOSTS], instances: [host(0, 7)] };
    const decision = placed({ ...world, gangs });
    expect(isPlaced(decision, 'one')).toBe(false);
    expect(refusedWith(decision, 'job-one-0-0')).toBe(
      'Quota: 7 of 8 GPUs used, this run needs 1, the rest is kept for a run that is ahead',
    );
    expect(isPlaced(decision, 'other')).toBe(true);
    expect(isPlaced(placed({ ...world, gangs: [asks('one', 1)] }), 'one')).toBe(true);
  });

  it('lets runs pass that need nothing of what it lacks', () => {
    const quotas = [aQuota({ gpu: 8 }, {}, { '': { gpu: 7 } })];
    const cpus = aFleet('cpus', { ssh_config: { hosts: ['h'], user: 'u' } });
    const instances = [host(0), anInstance(cpus, 0, anOffer({ cpus: 4 }))];
    const gangs = [head, asks('small', 0)];
    const decision = placed({ gangs, quotas, fleets: [HOSTS, cpus], instances });
    expect(isPlaced(decision, 'small')).toBe(true);
  });

  it('keeps nothing if it exceeds the limit by itself', () => {
    const quotas = [aQuota({ gpu: 3 })];
    const decision = placed({
      ...{ gangs: [head, asks('one', 1)], quotas, fleets: [HOSTS], instances: [host(0)] },
    });
    expect(isPlaced(decision, 'one')).toBe(true);
  });

  it('is refused anew once the quota admits it and only capacity lacks', () => {
    const quota = { kind: 'quota' as const, resource: 'gpu', used: 8, limit: 8, needed: 4 };
    const refusal = { ...quota, of: 'project' as const, fleet: null, held: false };
    const jobs = gang.jobs.map((job) => ({ ...job, ...waiting, refusal }));
    const world = { gangs: [{ ...gang, jobs }], fleets: [HOSTS], instances: [host(0, 8)] };
    const full = [aQuota({ gpu: 8 }, {}, { '': { gpu: 8 } })];
    expect(changesOf(placed({ ...world, quotas: full }), 'job.update')).toEqual([]);
    const decision = placed({ ...world, quotas: [aQuota({ gpu: 8 })] });
    expect(jobChange(decision, 'job-four-0-0')?.refusal?.kind).toBe('no-place');
  });
});

it('no claim of a pass exceeds a limit, whatever the fleets, offers and quotas', () => {
  const limit = fc.record({
    gpu: fc.option(fc.oneof(fc.nat({ max: 12 }), fc.constant({ H100: 3 }))),
    cpu: fc.option(fc.nat({ max: 30 })),
    instances: fc.option(fc.nat({ max: 4 })),
    cost: fc.option(fc.nat({ max: 8 })),
  });
  const shape = fc.record({
    limit,
    fleet: fc.option(fc.nat({ max: 2 })),
    user: fc.constantFrom(null, '*', 'ann'),
  });
  fc.assert(
    fc.property(
      worlds,
      fc.array(shape, { minLength: 1, maxLength: 3 }),
      fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
      ({ snapshot, offers }, shapes, isAnns) => {
        const quotas = shapes.map(({ limit: limits, fleet, user }, index) =>
          aQuota(limits, {
            ...{ id: `q${index}`, userId: user },
            fleetId: fleet === null ? null : `fleet-f${fleet}`,
          }),
        );
        const gangs = snapshot.gangs.map((one, index) => ({
          ...one,
          run: { ...one.run, userId: isAnns[index] ? 'ann' : 'bob' },
        }));
        const decision = placed({ ...snapshot, gangs, quotas }, offers);
        const charges = changesOf(decision, 'job.update').flatMap(({ set }) => set.charge ?? []);
        for (const { quota } of quotas) {
          const used = new Map<string, Amounts>();
          for (const charge of charges) {
            const user = chargedUser(quota, { projectId: 'project-1', ...charge });
            if (user !== null) used.set(user, plus(used.get(user) ?? {}, charge.amounts));
          }
          for (const [resource, most] of Object.entries(termsAmounts(quota.limits))) {
            for (const own of used.values()) {
              expect(own[resource] ?? 0).toBeLessThanOrEqual(most);
            }
          }
        }
        const claims = changesOf(decision, 'job.update').filter(({ set }) => set.instanceId);
        expect(claims).toHaveLength(charges.length);
      },
    ),
    { numRuns: 300 },
  );
});
