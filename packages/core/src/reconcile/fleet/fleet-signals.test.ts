import { describe, expect, test } from 'vitest';
import { aFleet, aHost, anInstance, aPlaceholder, placedJob } from '../testing/records.ts';
import { World } from '../testing/world.ts';

const FLEET = { kind: 'fleet', id: 'fleet-1' };
const CHECK = { type: 'fleet.check', id: 'fleet-1', version: 1 };

const planned = (num = 1) =>
  aPlaceholder('none', {
    ...{ id: `inst-${num}`, instanceNum: num, provisioningJobId: null, busyBlocks: 0 },
  });

/** The signals of the passes in which a planned instance gets its machine, and its agent connects. */
function cameUp(w: World) {
  w.instancePass();
  w.created('inst-1');
  w.signals.length = 0;
  w.instancePass();
  const adopted = [...w.signals];
  w.connect();
  w.signals.length = 0;
  const decision = w.instancePass();
  expect(w.instance().status).toBe('idle');
  return { adopted, arrived: [...w.signals], changes: decision?.changes };
}

describe('an instance that comes up', () => {
  test('does not wake a fleet that has what it wants', () => {
    const fleet = aFleet({ nodes: { min: 2, max: 2 } });
    const w = new World({ instances: [planned(), anInstance({ id: 'inst-2' })], fleet });
    const { adopted, arrived } = cameUp(w);
    expect(adopted).not.toContainEqual(FLEET);
    expect(arrived).not.toContainEqual(FLEET);
  });

  test.each([
    [
      'that has failed to reach its minimum before, which it then forgets',
      aFleet({ nodes: { min: 1, max: 1 } }, { consolidationAttempt: 3 }),
    ],
    ['of a cluster, whose other instances follow its master', aFleet({ placement: 'cluster' })],
    [
      'with more instances than its minimum, of which idle ones may now end',
      aFleet({ nodes: { min: 0, max: 2 } }),
    ],
  ])('wakes a fleet %s', (_which, fleet) => {
    const { adopted, arrived } = cameUp(new World({ instances: [planned()], fleet }));
    expect(adopted).toContainEqual(FLEET);
    expect(arrived).toContainEqual(FLEET);
  });
});

describe('an instance that becomes idle', () => {
  test('as its agent connects, does so only if its fleet is as it was read', () => {
    const fleet = aFleet({ nodes: { min: 1, max: 1 } });
    const { changes } = cameUp(new World({ instances: [planned()], fleet }));
    expect(changes).toContainEqual(CHECK);
  });

  test('as its last job leaves, does so only if its fleet is as it was read', () => {
    const instance = anInstance({ busyBlocks: 1 });
    const w = new World({ jobs: [placedJob(instance)], instances: [instance], hosts: [aHost()] });
    w.running('job-1').pass();
    const { changes } = w.exit('job-1', 0).pass();
    expect(w.instance().status).toBe('idle');
    expect(changes).toContainEqual(CHECK);
  });

  test('as a host of an SSH fleet, which keeps all of them, does not depend on it', () => {
    const instance = anInstance({ backend: 'remote', busyBlocks: 1 });
    const w = new World({ jobs: [placedJob(instance)], instances: [instance], hosts: [aHost()] });
    w.running('job-1').pass();
    expect(w.exit('job-1', 0).pass().changes).not.toContainEqual(CHECK);
    expect(w.instance().status).toBe('idle');
  });

  test('and stays so writes nothing', () => {
    const w = new World({ instances: [anInstance()], hosts: [aHost()] });
    w.instancePass();
    expect(w.instancePass()?.changes).toEqual([]);
  });
});
