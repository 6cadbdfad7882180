import { describe, expect, it } from 'vitest';
import { takeBackInstance } from '../../instances/index.ts';
import { deliver, type NoticeSpec, task } from '../testing/notices.ts';
import type { World } from '../testing/world.ts';

const REASON = 'interrupted_by_no_capacity';
const SECOND = 1_000_000;

describe('a running job on an instance that its provider takes back', () => {
  const takenBack = (world: World, left = 120) => {
    const instance = { ...world.instance('inst-0'), backend: 'aws' } as const;
    world.instances.set('inst-0', instance);
    const written = takeBackInstance(
      { instance, jobs: [] },
      { reason: 'terminate', left },
      world.now,
    );
    const [change] = written?.changes.filter(({ type }) => type === 'instance.update') ?? [];
    if (change?.type !== 'instance.update') throw new Error('nothing was changed');
    const version = instance.version + 1;
    world.instances.set('inst-0', { ...instance, ...change.set, version });
    world.pass();
    return written;
  };

  it('gets notice of what the provider leaves, less a reserve for its last output', () => {
    const world = task();
    const written = takenBack(world);
    expect(written?.changes).toContainEqual(
      expect.objectContaining({
        event: expect.objectContaining({ action: 'instance.taken_back' }),
      }),
    );
    expect(world.job('job-0').notice).toMatchObject({
      message: 'aws takes lab-0 back: terminate',
      interruptAt: world.now + 80 * SECOND,
      endsAt: world.now + 110 * SECOND,
      isTakenBack: true,
    });
    expect(task().instance('inst-0').scheduling).toBeNull();
  });

  it('is divided alike when the provider leaves half a minute or nothing', () => {
    const world = task();
    takenBack(world, 30);
    expect(world.job('job-0').notice).toMatchObject({ endsAt: world.now + 22 * SECOND });
    const exact = task();
    takenBack(exact, 29.980_143_14);
    const { interruptAt, endsAt } = exact.job('job-0').notice ?? {};
    expect([interruptAt, endsAt].every(Number.isSafeInteger)).toBe(true);
    const late = task();
    takenBack(late, 0);
    expect(late.job('job-0').notice).toMatchObject({ interruptAt: late.now, endsAt: late.now });
  });

  it('is tried again only if its `retry` allows it', () => {
    const without = task();
    takenBack(without);
    deliver(without).later(100).exit('job-0', 130, REASON);
    without.pass();
    expect(without.run.status).not.toBe('pending');
    expect([...without.jobs.keys()]).toHaveLength(1);
    const spec = { retry: { on_events: ['interruption'], duration: 3600 } } as NoticeSpec;
    const retried = task({ spec });
    takenBack(retried);
    deliver(retried).later(100).exit('job-0', 130, REASON);
    retried.pass();
    expect(retried.run.status).toBe('pending');
  });

  it('gets no second notice when the same notice is sent anew, and sooner when its end is', () => {
    const world = task();
    takenBack(world);
    const instance = world.instance('inst-0');
    const again = (left: number) =>
      takeBackInstance({ instance, jobs: [] }, { reason: 'terminate', left }, world.now);
    expect([again(120), again(122), again(90) !== null]).toEqual([null, null, true]);
  });

  it('leaves an instance that ends as soon as it has no jobs', () => {
    const world = task();
    takenBack(world);
    world.instancePass('inst-0');
    expect(world.instance('inst-0').status).toBe('busy');
    world.jobs.clear();
    world.instancePass('inst-0');
    expect(world.instance('inst-0')).toMatchObject({
      terminationReason: 'interrupted',
      terminationMessage: 'aws takes the machine back: terminate',
    });
  });
});
