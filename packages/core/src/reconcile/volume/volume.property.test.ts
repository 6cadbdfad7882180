import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { volumeRecord } from '../../testing/records.ts';
import { anInstance } from '../testing/records.ts';
import { INSTANCES, VolumeBackend } from '../testing/volume-backend.ts';
import { VolumeWorld } from '../testing/volumes.ts';

interface Shape {
  readonly shared: boolean;
  readonly cleanup: number | null;
}

const shape: fc.Arbitrary<Shape> = fc.record({
  shared: fc.boolean(),
  cleanup: fc.constantFrom(null, 600),
});

/** The next event, and a number for each choice. */
interface Step {
  readonly what: number;
  readonly choice: number;
}

const steps = fc.array(fc.record({ what: fc.nat({ max: 13 }), choice: fc.nat({ max: 1000 }) }), {
  maxLength: 80,
});

function begin({ shared, cleanup }: Shape): VolumeBackend {
  const { configuration } = volumeRecord();
  const volume = volumeRecord({
    ...{ status: 'submitted', handle: null, shared },
    configuration: { ...configuration, auto_cleanup_duration: cleanup },
  });
  const instances = INSTANCES.map((id) => anInstance({ id, name: id }));
  const backend = new VolumeBackend(new VolumeWorld({ volume, instances }));
  backend.pass();
  return backend;
}

function pick<T>(list: readonly T[], choice: number): T | undefined {
  return list[choice % Math.max(1, list.length)];
}

function act(backend: VolumeBackend, { what, choice }: Step): void {
  const { world } = backend;
  switch (what) {
    case 0:
    case 1:
    case 2:
    case 3: {
      const intent = pick(world.announced(), choice);
      const outcome = pick(['done', 'done', 'done', 'lost', 'refused'] as const, choice);
      if (intent && outcome) backend.carryOut(intent, outcome);
      break;
    }
    case 4:
    case 5:
      backend.observe();
      break;
    case 6:
    case 7:
      backend.place(choice);
      break;
    case 8:
      backend.start();
      break;
    case 9: {
      const live = [...world.uses].filter(([, use]) => use.releasedAt === null);
      const found = pick(live, choice);
      if (found) backend.stop(found[0]);
      break;
    }
    case 10:
      backend.finish();
      break;
    case 11:
      world.later(choice);
      break;
    case 12:
      if (choice % 5 === 0) backend.terminate(pick(INSTANCES, choice) ?? '');
      break;
    default:
      if (choice % 8 === 0) backend.requestDeletion();
      else if (world.volume.nextPassAt !== null) {
        world.now = Math.max(world.now, world.volume.nextPassAt);
      }
  }
  backend.pass();
}

/** Every call succeeds, and time passes. */
function settle(backend: VolumeBackend): void {
  const { world } = backend;
  for (let round = 0; round < 40; round++) {
    for (const intent of world.announced()) backend.carryOut(intent, 'done');
    backend.observe();
    backend.start();
    for (const [jobId, use] of world.uses) if (use.releasedAt === null) backend.stop(jobId);
    backend.pass();
    backend.finish();
    backend.pass();
    world.later(120);
  }
}

describe('whatever happens to a volume in whatever order', () => {
  test('a job runs only with it, and it is at one instance at a time unless it is shared', () => {
    fc.assert(
      fc.property(shape, steps, (form, story) => {
        const backend = begin(form);
        for (const step of story) act(backend, step);
      }),
      { numRuns: 300 },
    );
  });

  test('everything is detached in the end, and what was to be deleted is', () => {
    fc.assert(
      fc.property(shape, steps, (form, story) => {
        const backend = begin(form);
        for (const step of story) act(backend, step);
        settle(backend);
        const { world } = backend;
        expect([...backend.attached]).toEqual([]);
        expect(world.attachments.size).toBe(0);
        expect(world.uses.size).toBe(0);
        const { deleted, toBeDeleted, status } = world.volume;
        if (!deleted) expect(['active', 'failed']).toContain(status);
        expect(deleted).toBe(toBeDeleted);
        if (form.cleanup !== null && status === 'active') expect(deleted).toBe(true);
        if (deleted) expect(backend.exists).toBe(false);
        if (backend.exists) expect(world.volume.handle).not.toBeNull();
        expect(world.announced()).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
