import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isInstanceIdle,
  isInstanceTerminated,
  isJobFinished,
  isRunFinished,
} from '../../status/index.ts';
import { Outside } from '../testing/outside.ts';
import { aJob, aJobSpec } from '../testing/records.ts';
import { World } from '../testing/world.ts';

interface Shape {
  readonly kind: 'task' | 'gang' | 'service';
  readonly retry: boolean;
  readonly stopDuration: number | null;
}

const shape: fc.Arbitrary<Shape> = fc.record({
  kind: fc.constantFrom('task' as const, 'gang' as const, 'service' as const),
  retry: fc.boolean(),
  stopDuration: fc.constantFrom(20, 300, null),
});

/** The next event, and a number for each choice. */
interface Step {
  readonly what: number;
  readonly choice: number;
}

const steps = fc.array(fc.record({ what: fc.nat({ max: 13 }), choice: fc.nat({ max: 1000 }) }), {
  maxLength: 80,
});

function begin({ kind, retry, stopDuration }: Shape): Outside {
  const nodes = kind === 'gang' ? 2 : 1;
  const replicas = kind === 'service' ? 2 : 1;
  const events = ['no-capacity' as const, 'interruption' as const, 'error' as const];
  const jobs = [];
  for (let replica = 0; replica < replicas; replica++) {
    for (let node = 0; node < nodes; node++) {
      const spec = aJobSpec({
        replica_num: replica,
        job_num: node,
        jobs_per_replica: nodes,
        stop_duration: stopDuration,
        retry: retry ? { on_events: events, duration: 3600 } : null,
      });
      jobs.push(aJob({ id: `job-${replica}-${node}`, replicaNum: replica, jobNum: node, spec }));
    }
  }
  const world = new World({ jobs, run: { desiredReplicas: { '0': replicas } } });
  if (kind === 'service') {
    world.run = {
      ...world.run,
      spec: { ...world.run.spec, configuration: { type: 'service' } } as never,
    };
  }
  return new Outside(world);
}

function pick<T>(list: readonly T[], choice: number): T | undefined {
  return list[choice % Math.max(1, list.length)];
}

function act(outside: Outside, { what, choice }: Step): void {
  const { world } = outside;
  const announced = [...world.intents.values()].filter((one) => one.state === 'announced');
  switch (what) {
    case 0:
    case 1:
      outside.place(choice);
      break;
    case 2:
    case 3:
    case 4: {
      const intent = pick(announced, choice);
      if (intent !== undefined) outside.carryOut(intent, choice);
      break;
    }
    case 5:
    case 6:
    case 7: {
      const job = pick([...outside.processes.keys()], choice);
      if (job !== undefined) outside.progress(job, choice);
      break;
    }
    case 8:
      outside.connect(pick([...outside.billed], choice) ?? '');
      break;
    case 9:
      outside.disconnect(pick([...outside.billed], choice) ?? '');
      break;
    case 10:
      world.later(choice);
      break;
    case 11:
      if (choice % 4 === 0 && !isRunFinished(world.run.status)) world.stop(choice % 8 === 0);
      break;
    case 12:
      if (world.run.nextPassAt !== null) world.now = Math.max(world.now, world.run.nextPassAt);
      break;
    default: {
      const key = pick([...world.cancelled], choice);
      if (key !== undefined) outside.carryOutLate(key);
    }
  }
  outside.passRun();
  for (const one of [...world.instances.values()]) {
    if ((choice + one.instanceNum) % 2 === 0) outside.passInstance(one.id);
  }
}

/**
 * Now every call succeeds and time passes. `late`: workers that had begun an effect before it was
 * cancelled finish it only now.
 */
function answerAll(outside: Outside, late = false): void {
  const { world } = outside;
  for (const id of outside.billed) outside.connect(id);
  const announced = [...world.intents.values()].filter((one) => one.state === 'announced');
  for (const intent of announced) outside.carryOut(intent, 2);
  if (late) for (const key of [...world.cancelled]) outside.carryOutLate(key);
  for (const id of outside.billed) outside.connect(id);
  for (const id of [...outside.processes.keys()]) outside.progress(id, 1);
  outside.place(0);
  outside.passRun();
  for (const one of [...world.instances.values()]) outside.passInstance(one.id);
  world.later(20);
}

function finish(outside: Outside, shape: Shape): void {
  const { world } = outside;
  for (let round = 0; round < 60; round++) {
    if (isRunFinished(world.run.status)) break;
    // A service does not end by itself.
    if (shape.kind === 'service' && round === 20) world.stop();
    answerAll(outside, round === 0);
  }
}

describe('whatever happens in whatever order', () => {
  test('nothing is claimed twice or kept, and the run ends once everything answers', () => {
    fc.assert(
      fc.property(shape, steps, (form, story) => {
        const outside = begin(form);
        for (const step of story) act(outside, step);
        finish(outside, form);
        const { world } = outside;
        expect(isRunFinished(world.run.status)).toBe(true);
        expect([...world.jobs.values()].every((job) => isJobFinished(job.status))).toBe(true);
        expect(world.run.nextPassAt).toBeNull();
      }),
      { numRuns: 250 },
    );
  });

  test('nothing is left running and no machine is left unaccounted for', () => {
    fc.assert(
      fc.property(shape, steps, (form, story) => {
        const outside = begin(form);
        for (const step of story) act(outside, step);
        finish(outside, form);
        for (let round = 0; round < 60; round++) answerAll(outside, round === 0);
        const { world } = outside;
        expect([...outside.processes.keys()]).toEqual([]);
        const left = [...world.instances.values()].filter(
          (one) => !isInstanceTerminated(one.status) && !isInstanceIdle(one.status),
        );
        expect(left.map((one) => [one.id, one.status])).toEqual([]);
        for (const id of outside.billed) expect(world.instances.has(id)).toBe(true);
      }),
      { numRuns: 250 },
    );
  });

  test('a stop is never lost: the run ends as terminated and gets no new submission', () => {
    fc.assert(
      fc.property(shape, steps, steps, fc.boolean(), (form, before, after, abort) => {
        const outside = begin(form);
        for (const step of before) act(outside, step);
        const { world } = outside;
        if (isRunFinished(world.run.status)) return;
        world.stop(abort);
        const submissions = world.jobs.size;
        for (const step of after) act(outside, step);
        finish(outside, form);
        expect(world.run.status).toBe('terminated');
        expect(world.jobs.size).toBe(submissions);
      }),
      { numRuns: 250 },
    );
  });

  test('an aborted run ends within a minute, whether anything answers or not', () => {
    fc.assert(
      fc.property(shape, steps, (form, before) => {
        const outside = begin(form);
        for (const step of before) act(outside, step);
        const { world } = outside;
        if (isRunFinished(world.run.status)) return;
        world.stop(true);
        outside.passRun();
        const started = world.now;
        while (world.run.nextPassAt !== null && !isRunFinished(world.run.status)) {
          world.now = world.run.nextPassAt;
          outside.passRun();
        }
        expect(world.run.status).toBe('terminated');
        // The log of a process that has ended by itself may take longer than any kill.
        expect(world.now - started).toBeLessThanOrEqual(300_000_000);
      }),
      { numRuns: 250 },
    );
  });
});
