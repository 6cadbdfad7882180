import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Gang, InstanceRecord, Offer, PlacementSnapshot } from '../model/index.ts';
import { aContext, aGang, answersOf, aRun, jobChange, placed } from '../placement/testing.ts';
import { type World, worlds } from '../placement/testing-worlds.ts';
import type { Diagnosis } from './diagnosis.ts';
import { explainRun } from './explain-run.ts';
import type { ExplainedRun } from './input.ts';

/** The explanation of one run of the world, with all offers answered. */
function explained({ snapshot, offers }: World, { run, jobs }: Gang): Diagnosis {
  const input: ExplainedRun = {
    run: {
      ...{
        run,
        projectName: 'main',
        dependencies: [],
        jobs,
        instances: [],
        fleetUses: [],
        hosts: [],
        reports: [],
      },
      ...{ logEnds: {}, intents: [], volumes: [], probes: {} },
      ...{ overQuota: {}, gpuSamples: {}, requests: null, load: null, livenessFailures: {} },
    },
    queue: snapshot,
    ...{ places: [], holders: [], upstreams: [], projectNames: snapshot.projectNames },
  };
  const names = [...new Set(offers.map((offer) => offer.backend))];
  const backends = {
    abilities: names.map((name) => ({ name, createsInstances: true })),
    localOff: null,
  };
  const ctx = { ...aContext(), viewer: { projects: null } };
  const answers = new Map<string, readonly Offer[]>();
  for (;;) {
    const answer = explainRun(input, backends, { offers: answers, notes: [] }, ctx);
    if (answer.wanted.length === 0) return answer.explanation;
    for (const [key, found] of answersOf(answer.wanted, offers)) answers.set(key, found);
  }
}

const check = (property: (world: World, gang: Gang, diagnosis: Diagnosis) => void): void =>
  fc.assert(
    fc.property(worlds, (world) => {
      for (const gang of world.snapshot.gangs) {
        if (gang.jobs[0]?.stopRequestedAt === null) property(world, gang, explained(world, gang));
      }
    }),
    { numRuns: 60 },
  );

const isPlaced = (snapshot: PlacementSnapshot, offers: readonly Offer[], gang: Gang): boolean => {
  const decision = placed(snapshot, offers);
  return typeof jobChange(decision, gang.jobs[0]?.id ?? '')?.instanceId === 'string';
};

/** The instance, free and healthy. */
function freed(instance: InstanceRecord): InstanceRecord {
  const status = 'idle' as const;
  return {
    ...instance,
    status,
    busyBlocks: 0,
    unreachable: false,
    health: 'healthy',
    healthMessage: null,
  };
}

describe('an explanation, whatever the fleets, instances and runs', () => {
  it('reports a place exactly if placement gives one', () => {
    check(({ snapshot, offers }, gang, diagnosis) => {
      expect(diagnosis.waiting_for === 'placing').toBe(isPlaced(snapshot, offers, gang));
    });
  });

  it('has a finding for each fleet that does not take the run', () => {
    check(({ snapshot }, _gang, diagnosis) => {
      if (diagnosis.waiting_for === 'placing') return;
      for (const fleet of snapshot.fleets) {
        const rows = diagnosis.considered.filter((row) => row.fleet === fleet.name);
        expect(rows.filter((row) => row.rule !== null).length).toBeGreaterThan(0);
        expect(rows.filter((row) => row.kind === 'fleet')).toHaveLength(1);
      }
      expect(diagnosis.reasons.length).toBeGreaterThan(0);
    });
  });

  it('calls an instance full exactly if it would take the run, were it free', () => {
    check(({ snapshot }, gang, diagnosis) => {
      if (gang.jobs.length > 1) return;
      for (const row of diagnosis.considered.filter((one) => one.instance !== null)) {
        const instance = snapshot.instances.find((one) => one.name === row.instance);
        if (!instance || row.rule === 'ending') continue;
        const alone = { ...snapshot, gangs: [gang], instances: [freed(instance)] };
        expect(isPlaced(alone, [], gang)).toBe(row.verdict !== 'never');
      }
    });
  });

  it('calls a fleet full only if the run would take a free machine or place', () => {
    check(({ snapshot, offers }, gang, diagnosis) => {
      for (const fleet of snapshot.fleets) {
        if (!diagnosis.summary.includes(`fleet ${fleet.name} is full`)) continue;
        const instances = snapshot.instances
          .filter((one) => one.fleetId === fleet.id && one.status !== 'terminating')
          .map(freed);
        const free = offers.map((offer): Offer => ({ ...offer, availability: 'available' }));
        const grown = { ...fleet, spec: withoutLimit(fleet.spec) };
        const none = { serverHosts: [] };
        const alone = { ...snapshot, ...none, gangs: [gang], fleets: [grown], instances };
        const isTaken =
          isPlaced(alone, free, gang) ||
          isPlaced(alone, [], gang) ||
          isPlaced({ ...alone, instances: [] }, free, gang);
        expect(isTaken).toBe(true);
      }
    });
  });

  it('has no fix twice', () => {
    check((_world, _gang, diagnosis) => {
      const fixes = diagnosis.fixes.map((fix) => fix.text);
      expect(new Set(fixes).size).toBe(fixes.length);
    });
  });

  it('advises no change that placement would not honour', () => {
    check((world, gang, diagnosis) => {
      const value = diagnosis.fixes.find((fix) => fix.value?.startsWith('resources:'))?.value;
      if (!value || gang.jobs.length > 1) return;
      const keys = [...value.matchAll(/^ {2}(\w+): (.*)$/gm)].map(([, key, text]) => [key, text]);
      const { resources } = gang.run.spec.configuration;
      const asked = { ...plain(resources), ...Object.fromEntries(keys) };
      const other = aGang(aRun(gang.run.name, { resources: asked }));
      const free = {
        ...world.snapshot,
        gangs: [other],
        instances: world.snapshot.instances.map(freed),
      };
      expect(isPlaced(free, world.offers, other)).toBe(true);
    });
  });
});

function withoutLimit(spec: PlacementSnapshot['fleets'][number]['spec']): typeof spec {
  const nodes = spec.configuration.nodes && { ...spec.configuration.nodes, max: null };
  return { ...spec, configuration: { ...spec.configuration, nodes } };
}

/** The resources that these worlds request, as a configuration writes them. */
function plain(resources: Gang['run']['spec']['configuration']['resources']): object {
  const { cpu, memory, gpu } = resources;
  const range = (part: { min: number | null; max: number | null }, unit = '') =>
    `${part.min === null ? '' : part.min + unit}..${part.max === null ? '' : part.max + unit}`;
  return {
    cpu: range(cpu.count),
    memory: range(memory, 'GB'),
    ...(gpu ? { gpu: range(gpu.count) } : {}),
  };
}
