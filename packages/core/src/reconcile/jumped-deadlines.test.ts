/** Nothing ends for want of an answer that could not arrive. */
import { expect, test } from 'vitest';
import type { IntentRecord } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { volumeRecord } from '../testing/records.ts';
import { reconcileInstance } from './instance/reconcile-instance.ts';
import { aFleet, aJob, aJobSpec, anInstance, SETTINGS, T0 } from './testing/records.ts';
import { onNewInstance, placed, running } from './testing/runs.ts';
import { VolumeWorld } from './testing/volumes.ts';
import { World } from './testing/world.ts';

interface Waiting {
  /** Lets seconds pass; with `jumped`, the server could not work meanwhile. */
  readonly pass: (seconds: number, jumped?: 'jumped') => void;
  readonly hasEnded: () => boolean;
}

const DAY = 86_400;

function inWorld(world: World, hasEnded: () => boolean): Waiting {
  return {
    pass: (seconds, jumped) => {
      if (jumped) world.jump(seconds);
      else world.later(seconds);
      world.pass();
    },
    hasEnded,
  };
}

function stopping(patch: Parameters<typeof running>[0], abort: boolean): World {
  const world = running(patch);
  world.stop(abort);
  world.pass();
  return world;
}

function inVolumes(world: VolumeWorld, hasEnded: () => boolean): Waiting {
  world.pass();
  return {
    pass: (seconds, jumped) => {
      if (jumped) world.jump(seconds);
      else world.later(seconds);
      world.pass();
    },
    hasEnded,
  };
}

function makingVolume(): VolumeWorld {
  const world = new VolumeWorld({ volume: volumeRecord({ status: 'submitted', handle: null }) });
  world.pass();
  return world;
}

function provisioningVolume(): VolumeWorld {
  const handle = { id: 'vol-1', region: 'us-east-1', data: null };
  const world = makingVolume().settle('volume.create', { kind: 'volume.created', handle });
  world.pass();
  return world.observe({ state: 'pending', text: 'formatting' });
}

const WAITING: readonly [what: string, seconds: number, begin: () => Waiting][] = [
  [
    'a killed job whose agent does not report its end',
    30,
    () => {
      const world = stopping({}, true);
      return inWorld(world, () => world.run.status === 'terminated');
    },
  ],
  [
    'a process that may use its stop_duration',
    310,
    () => {
      const world = stopping({ stop_duration: 300 }, false);
      const kills = () => world.announced('job.stop').filter((one) => 'grace' in one.payload);
      return inWorld(world, () =>
        kills().some(({ payload }) => payload.kind === 'job.stop' && !payload.grace),
      );
    },
  ],
  [
    'a job whose image is pulled',
    7200,
    () => {
      const world = placed();
      world.report('job-1', { phase: 'pulling' }).pass();
      return inWorld(world, () => world.job('job-1').status === 'terminating');
    },
  ],
  [
    'a job whose last output is not stored',
    300,
    () => {
      const world = running({});
      world.report('job-1', { log_end: 10 }).exit('job-1', 0).pass();
      return inWorld(world, () => world.job('job-1').status !== 'running');
    },
  ],
  [
    'a job whose instance is being created',
    3600,
    () => {
      const world = onNewInstance();
      world.pass();
      return inWorld(world, () => world.job('job-1').terminationReason !== null);
    },
  ],
  [
    'a job that waits for capacity for the duration of its retry',
    60,
    () => {
      const refusal = { kind: 'no-fleets' } as const;
      const spec = aJobSpec({ retry: { on_events: ['no-capacity'], duration: 60 } });
      const world = new World({ jobs: [aJob({ refusal, spec })] });
      world.pass();
      return inWorld(world, () => world.job('job-1').terminationReason !== null);
    },
  ],
  [
    'a volume whose backend does not answer',
    600,
    () => {
      const world = makingVolume();
      return inVolumes(world, () => world.volume.status === 'failed');
    },
  ],
  [
    'a volume that is being made',
    1200,
    () => {
      const world = provisioningVolume();
      return inVolumes(world, () => world.volume.status === 'failed');
    },
  ],
  [
    'a volume that is missing for a moment',
    60,
    () => {
      const world = provisioningVolume();
      world.observe({ state: 'missing' });
      return inVolumes(world, () => world.volume.status === 'failed');
    },
  ],
  [
    'a volume that is being attached',
    300,
    () => {
      const world = new VolumeWorld().use();
      return inVolumes(world, () => world.only().status !== 'attaching');
    },
  ],
];

test.each(WAITING)('%s is given up after %d s of silence', (_what, seconds, begin) => {
  const waiting = begin();
  waiting.pass(seconds - 1);
  expect(waiting.hasEnded()).toBe(false);
  waiting.pass(2);
  expect(waiting.hasEnded()).toBe(true);
});

test.each(WAITING)('%s has %d s without the time of a jump', (_what, seconds, begin) => {
  const waiting = begin();
  waiting.pass(DAY, 'jumped');
  expect(waiting.hasEnded()).toBe(false);
  waiting.pass(seconds - 1);
  expect(waiting.hasEnded()).toBe(false);
  waiting.pass(2);
  expect(waiting.hasEnded()).toBe(true);
});

test.each(WAITING)('%s is given up after %d s in spite of restarts', (_what, seconds, begin) => {
  const waiting = begin();
  let worked = 0;
  while (!waiting.hasEnded() && worked < seconds + 200) {
    waiting.pass(120, 'jumped');
    if (waiting.hasEnded()) break;
    waiting.pass(20);
    worked += 20;
  }
  expect(waiting.hasEnded()).toBe(true);
  expect(worked).toBeGreaterThanOrEqual(seconds);
});

test('an agent is removed from an SSH host for two minutes, and anew after a jump of the time', () => {
  const instance = anInstance({ backend: 'remote', status: 'terminating', statusChangedAt: T0 });
  const order: IntentRecord = {
    ...{ key: 'instance.terminate:inst-1:0', kind: 'instance.terminate', subjectId: instance.id },
    ...{ attempt: 0, payload: { kind: 'instance.terminate' }, state: 'announced', result: null },
    ...{ error: null, createdAt: T0, updatedAt: T0 },
  };
  const isOver = (seconds: number, jumpedSeconds: number | null) => {
    const at = (from: number) => T0 + from * SECOND;
    const ctx = {
      ...{ now: at(seconds) },
      unobserved: jumpedSeconds === null ? [] : [{ from: at(0), until: at(jumpedSeconds) }],
      ...{ newId: () => 'new', settings: SETTINGS },
    };
    const snapshot = {
      ...{ instance, fleet: aFleet(), jobs: [], host: null, health: null, observation: null },
      ...{ group: null, intents: [order], activeInFleet: 0, local: null },
    };
    return reconcileInstance(snapshot, ctx).changes.some(
      (one) => one.type === 'instance.update' && one.set.status === 'terminated',
    );
  };
  expect(isOver(119, null)).toBe(false);
  expect(isOver(120, null)).toBe(true);
  expect(isOver(DAY, DAY)).toBe(false);
  expect(isOver(DAY + 120, DAY)).toBe(true);
});
