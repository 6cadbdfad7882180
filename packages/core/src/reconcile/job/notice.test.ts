import { describe, expect, it } from 'vitest';
import { jobStatusMessage } from '../../status/index.ts';
import { deliver, drain, orders, stops, task, UNSUPPORTED, uncordon } from '../testing/notices.ts';
import type { World } from '../testing/world.ts';

const REASON = 'interrupted_by_no_capacity';
const SECOND = 1_000_000;

describe('a running job on a drained instance', () => {
  it('gets notice at once and once, goes on, and is interrupted in the last minute', () => {
    const world = drain(task());
    const { notice } = world.job('job-0');
    expect(notice).toEqual({
      message: 'lab-0 is drained by ann: a fan',
      requestedAt: world.now,
      interruptAt: world.now + 570 * SECOND,
      endsAt: world.now + 600 * SECOND,
    });
    expect(world.run.status).toBe('running');
    expect(world.job('job-0').status).toBe('running');
    expect(jobStatusMessage(world.job('job-0'))).toBe('running (has to leave)');
    deliver(world).later(300).pass();
    expect(orders(world)).toMatchObject([
      { payload: { kind: 'job.notice', reason: REASON, notice } },
    ]);
    expect(world.announced('job.stop')).toEqual([]);
    expect(world.events).toEqual([
      expect.stringContaining('Job has to leave its instance: lab-0 is drained by ann: a fan.'),
    ]);
  });

  it('is interrupted at half of a drain that is shorter than a minute', () => {
    const world = drain(task(), 20);
    const { interruptAt = 0, endsAt = 0 } = world.job('job-0').notice ?? {};
    expect([interruptAt - world.now, endsAt - world.now]).toEqual([10 * SECOND, 20 * SECOND]);
  });

  it('is submitted again at once when it had to leave, without `retry` and at its place in the queue', () => {
    const world = deliver(drain(task()));
    const { queuedAt } = world.job('job-0');
    world.later(580).exit('job-0', 130, REASON);
    world.pass();
    expect(world.job('job-0')).toMatchObject({
      ...{ status: 'failed', terminationReason: REASON, exitStatus: 130 },
    });
    expect(world.latest()).toMatchObject({
      ...{ submissionNum: 1, status: 'submitted', attempt: 0, resumeCount: 1, queuedAt },
      notice: null,
    });
    expect(world.run.status).toBe('submitted');
    expect(world.run.terminationReason).toBeNull();
  });

  it('waits for another place for as long as it takes', () => {
    const world = deliver(drain(task()));
    world.later(580).exit('job-0', 130, REASON).pass();
    const job = world.latest();
    const refusal = { kind: 'no-fleets' } as const;
    world.jobs.set(job.id, { ...job, refusal, version: job.version + 1 });
    world.later(86_400).pass();
    expect(world.latest().status).toBe('submitted');
    expect(world.run.status).toBe('submitted');
  });

  it('is submitted again also where no machine can be created for it', () => {
    const world = deliver(drain(task()));
    world.later(580).exit('job-0', 130, REASON).pass();
    for (const _ of [1, 2]) {
      const job = world.latest();
      const failed = { status: 'failed', finishedAt: world.now } as const;
      const terminationReason = 'failed_to_start_due_to_no_capacity';
      world.jobs.set(job.id, { ...job, ...failed, terminationReason, version: job.version + 1 });
      world.pass();
      expect(world.run.status).not.toBe('failed');
      world.later(600).pass();
      expect(world.latest()).toMatchObject({
        submissionNum: job.submissionNum + 1,
        status: 'submitted',
      });
    }
  });

  it('keeps an end of its own before Ctrl-C: done, or failed', () => {
    for (const [status, end] of [
      [0, 'done'],
      [1, 'failed'],
    ] as const) {
      const world = deliver(drain(task()));
      world.later(100).exit('job-0', status).pass();
      expect(world.run.status).toBe(end);
    }
  });

  it('is left alone if its `max_duration` ends it before the deadline', () => {
    const spec = { max_duration: 300, stop_duration: 60 };
    expect(drain(task({ spec })).job('job-0').notice).toBeNull();
    expect(drain(task({ spec }), 300).job('job-0').notice).not.toBeNull();
  });

  it('gets a plain stop at the time of Ctrl-C from an agent that gives no notice', () => {
    const world = drain(task({ spec: { stop_duration: 3600 } }));
    world.settle('job.notice:job-0:0', UNSUPPORTED).pass();
    expect(world.announced('job.stop')).toEqual([]);
    expect(world.run.nextPassAt).toBe(world.job('job-0').notice?.interruptAt);
    world.later(570).pass();
    expect(world.announced('job.stop')[0]?.payload).toMatchObject({ grace: true, reason: REASON });
    // The end of the notice counts, not `stop_duration`.
    world.later(41).pass();
    expect(world.announced('job.stop').at(-1)?.payload).toMatchObject({ grace: false });
    world.exit('job-0', 137, REASON).pass();
    expect(world.latest()).toMatchObject({ submissionNum: 1, status: 'submitted' });
  });

  it('is killed by the server if the agent has not ended it, but never on an unreachable host', () => {
    const world = deliver(drain(task()));
    world.report('job-0', { stop_stage: 'terminate', stop_reason: REASON });
    world.later(59).pass();
    expect(world.announced('job.stop')).toEqual([]);
    const away = deliver(drain(task()));
    away.disconnect('inst-0').later(700).pass();
    expect(away.job('job-0').status).toBe('running');
    world.later(2).pass();
    expect(world.announced('job.stop')[0]?.payload).toMatchObject({ grace: false, reason: REASON });
  });

  it('is stopped with its grace, not killed, if the agent has not sent Ctrl-C by then', () => {
    const world = deliver(drain(task()));
    world.later(629).pass();
    expect(world.announced('job.stop')).toEqual([]);
    world.later(2).pass();
    expect(stops(world)).toEqual([true]);
    world.later(39).pass();
    expect(stops(world)).toEqual([true]);
    world.later(2).pass();
    expect(stops(world)).toEqual([true, false]);
  });

  it('moves its notice when the instance is drained again with another deadline', () => {
    const world = deliver(drain(task(), 3600));
    drain(world, 120);
    expect(world.job('job-0').notice?.endsAt).toBe(world.now + 120 * SECOND);
    expect(orders(world).map(({ key }) => key)).toEqual([
      'job.notice:job-0:0',
      'job.notice:job-0:1',
    ]);
  });
});

describe('a notice', () => {
  /** The clock of the server is set. */
  const jump = (world: World, seconds: number): World => world.jump(seconds);

  it('ends with Ctrl-C and its grace when the clock of the server is set ahead past its end', () => {
    const world = jump(deliver(drain(task())), 7200);
    world.pass();
    expect(stops(world)).toEqual([]);
    world.later(31).pass();
    expect(stops(world)).toEqual([true]);
    expect(world.job('job-0').status).toBe('terminating');
    world.report('job-0', { stop_stage: 'interrupt', stop_reason: REASON });
    world.later(39).pass();
    expect(stops(world)).toEqual([true]);
    world.later(2).pass();
    expect(stops(world)).toEqual([true, false]);
  });

  it('leaves the whole grace after Ctrl-C when the clock is set ahead in between', () => {
    const world = deliver(drain(task())).later(571);
    world.report('job-0', { stop_stage: 'interrupt', stop_reason: REASON }).pass();
    jump(world, 7200).pass();
    world.later(59).pass();
    expect(stops(world)).toEqual([]);
    world.later(2).pass();
    expect(stops(world)).toEqual([false]);
  });

  it('given to a server whose clock is ahead keeps its grace with an agent that gives none', () => {
    const world = drain(task());
    world.settle('job.notice:job-0:0', UNSUPPORTED);
    jump(world, 7200).pass();
    expect(stops(world)).toEqual([true]);
    world.later(39).pass();
    expect(stops(world)).toEqual([true]);
    world.later(2).pass();
    expect(stops(world)).toEqual([true, false]);
  });

  it('stays as it is when the clock of the server is set back', () => {
    const world = deliver(drain(task()));
    const { notice } = world.job('job-0');
    world.later(-3600).pass();
    expect(world.job('job-0').notice).toEqual(notice);
    expect(orders(world)).toHaveLength(1);
  });
});

describe('a withdrawn drain', () => {
  it('withdraws the notice, after it was delivered and before Ctrl-C', () => {
    const world = uncordon(drain(task()));
    expect(orders(world)).toHaveLength(1);
    deliver(world);
    expect(orders(world).at(-1)?.payload).toMatchObject({ notice: null });
    expect(world.job('job-0').notice).not.toBeNull();
    deliver(world, 1);
    expect(world.job('job-0').notice).toBeNull();
    expect(world.events.at(-1)).toBe('Job may stay on its instance');
    world.later(3600).exit('job-0', 0).pass();
    expect(world.run.status).toBe('done');
    expect(orders(world)).toHaveLength(2);
  });

  it('is not followed by a notice that no agent has received', () => {
    const world = drain(task());
    world.disconnect('inst-0');
    uncordon(world).pass();
    expect(world.cancelled).toContain('job.notice:job-0:0');
    world.later(3600).connect('inst-0').pass();
    expect(world.announced('job.stop')).toEqual([]);
    expect(orders(world).at(-1)?.payload).toMatchObject({ notice: null });
    deliver(world, 1);
    expect(world.job('job-0')).toMatchObject({ status: 'running', notice: null });
  });

  it('is too late after Ctrl-C, as the agent reports', () => {
    const late = { kind: 'refused', reason: 'too_late', message: 'late' } as const;
    const world = uncordon(deliver(drain(task())));
    world.settle('job.notice:job-0:1', late).pass();
    expect(world.job('job-0').notice).not.toBeNull();
    world.exit('job-0', 0, REASON).pass();
    expect(world.latest().submissionNum).toBe(1);

    const begun = deliver(drain(task()));
    begun.report('job-0', { stop_stage: 'interrupt', stop_reason: REASON });
    uncordon(begun);
    expect(orders(begun)).toHaveLength(1);
  });

  it('needs no order to an agent that gave no notice, and may be followed by another drain', () => {
    const world = drain(task());
    world.settle('job.notice:job-0:0', UNSUPPORTED).pass();
    uncordon(world);
    expect(world.job('job-0').notice).toBeNull();
    drain(world, 60);
    expect(world.job('job-0').notice?.endsAt).toBe(world.now + 60 * SECOND);
  });
});

describe('a job that has not begun on a drained instance', () => {
  it('is submitted again at once', () => {
    const world = drain(task({ isRunning: false }));
    for (const { key } of world.announced('job.start')) world.settle(key, { kind: 'ok' });
    world.pass();
    expect(world.announced('job.stop')[0]?.payload).toMatchObject({ grace: false });
    world.exit('job-0', null).pass();
    expect(world.latest()).toMatchObject({ submissionNum: 1, status: 'submitted' });
    expect(world.run.status).toBe('submitted');
  });
});

describe('a gang of which one host is drained', () => {
  it('gets one notice as a whole, and is submitted again as a whole', () => {
    const world = drain(task({ nodes: 2 }));
    const [one, two] = [world.job('job-0').notice, world.job('job-1').notice];
    expect(two).toEqual(one);
    deliver(deliver(world), 0, 'job-1').later(575);
    world.exit('job-0', 130, REASON).pass();
    expect(world.latest(0, 0).submissionNum).toBe(0);
    world.exit('job-1', 130, REASON).pass();
    expect([world.latest(0, 0), world.latest(0, 1)]).toMatchObject([
      { submissionNum: 1, status: 'submitted' },
      { submissionNum: 1, status: 'submitted' },
    ]);
  });

  it('leaves by the earlier deadline of two drains', () => {
    const world = deliver(deliver(drain(task({ nodes: 2 }), 600)), 0, 'job-1');
    drain(world, 300, 'inst-1');
    expect(world.job('job-0').notice?.endsAt).toBe(world.now + 300 * SECOND);
    expect(world.job('job-1').notice?.endsAt).toBe(world.now + 300 * SECOND);
  });
});
