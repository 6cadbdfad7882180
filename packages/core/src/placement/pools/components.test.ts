import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { poolsOf, type Uses } from './components.ts';

const PROJECTS = ['p1', 'p2', 'p3', 'p4', 'p5'];
const FLEETS = ['f1', 'f2', 'f3', 'f4', 'f5'];
const use = fc.record({
  projectId: fc.constantFrom(...PROJECTS),
  fleetId: fc.constantFrom(...FLEETS),
});
const allUses = fc.record({
  projects: fc.constant(PROJECTS),
  fleets: fc.constant(FLEETS),
  uses: fc.array(use, { maxLength: 10 }),
  onServerHosts: fc.array(fc.uniqueArray(fc.constantFrom(...PROJECTS), { maxLength: 3 }), {
    maxLength: 3,
  }),
});

const poolOf = (uses: Uses, projectId: string) =>
  poolsOf(uses).find(({ projects }) => projects.includes(projectId));

const sorted = (uses: Uses) =>
  poolsOf(uses)
    .map(({ projects, fleets }) => [projects.toSorted(), fleets.toSorted()])
    .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

describe('pools, whatever the rights', () => {
  it('contain each project and each fleet once', () => {
    fc.assert(
      fc.property(allUses, (uses) => {
        const pools = poolsOf(uses);
        expect(pools.flatMap(({ projects }) => projects).toSorted()).toEqual(PROJECTS);
        expect(pools.flatMap(({ fleets }) => fleets).toSorted()).toEqual(FLEETS);
      }),
    );
  });

  it('contain a project together with every fleet that it may use, and the server host', () => {
    fc.assert(
      fc.property(allUses, (uses) => {
        for (const { projectId, fleetId } of uses.uses) {
          expect(poolOf(uses, projectId)?.fleets).toContain(fleetId);
        }
        for (const [first, ...others] of uses.onServerHosts) {
          for (const id of others) expect(poolOf(uses, id)?.projects).toContain(first);
        }
      }),
    );
  });

  it('are as small as they can be: without one of its uses, a pool of two stays or falls apart', () => {
    fc.assert(
      fc.property(allUses, (uses) => {
        // Each pool has enough links to be connected: a node more than links at most.
        for (const { projects, fleets } of poolsOf(uses)) {
          const own = uses.uses.filter(({ projectId }) => projects.includes(projectId));
          const onHosts = uses.onServerHosts
            .map((sharers) => sharers.filter((id) => projects.includes(id)).length)
            .reduce((sum, count) => sum + Math.max(0, count - 1), 0);
          const links = own.length + onHosts;
          expect(projects.length + fleets.length).toBeLessThanOrEqual(links + 1);
        }
      }),
    );
  });

  it('do not depend on the order of the rights', () => {
    fc.assert(
      fc.property(allUses, (uses) => {
        const reversed = { ...uses, uses: uses.uses.toReversed() };
        expect(sorted(reversed)).toEqual(sorted(uses));
      }),
    );
  });
});

it('a machine whose first project is unknown connects the others', () => {
  const projects = ['p1', 'p2'];
  const pools = poolsOf({ projects, fleets: [], uses: [], onServerHosts: [['gone', 'p1', 'p2']] });
  expect(pools).toEqual([{ projects, fleets: [] }]);
});

it('a right that names an unknown project or fleet connects nothing', () => {
  const uses = [
    { projectId: 'gone', fleetId: 'f1' },
    { projectId: 'gone', fleetId: 'f2' },
    { projectId: 'p1', fleetId: 'gone' },
  ];
  const pools = poolsOf({
    projects: ['p1'],
    fleets: ['f1', 'f2'],
    uses,
    onServerHosts: [['gone']],
  });
  expect(pools).toHaveLength(3);
});
