/** Who has to leave for a run of higher priority. */
import { describe, expect, it } from 'vitest';
import { SECOND } from '../model/values.ts';
import { aFleet, aGang, aRun, changesOf, jobChange } from './testing.ts';
import { A, B, claim, ctx, decide, evicted, waiting } from './testing-reclaim.ts';

describe('a gang of higher priority', () => {
  const mode = { preemption: { mode: 'priority', minRuntime: 300, grace: 60 } };
  const urgent = aGang(
    aRun('a', { resources: { cpu: '1..', memory: '1GB..', gpu: 4 }, priority: 9 }),
    0,
    waiting,
  );

  it('has jobs of lower priority leave in its own project, if the server is set so', () => {
    const claims = [claim('low', A, 4, { priority: 1 }), claim('b', B, 4)];
    expect(evicted(decide({ gangs: [urgent], claims }, mode))).toEqual(['job-low']);
    expect(evicted(decide({ gangs: [urgent], claims }))).toEqual([]);
  });

  it('does not wait for young jobs that it may not have leave', () => {
    const young = { runningAt: ctx.now - SECOND };
    const claims = [claim('same', A, 4, { priority: 9, ...young }), claim('b', B, 4, young)];
    const decision = decide({ gangs: [urgent], claims }, mode);
    expect(jobChange(decision, 'job-a-0-0')?.reclaim ?? null).toBeNull();
    expect(decision.again).toBeNull();
  });

  it('has those leave whose fleet is set so, after the times of that fleet', () => {
    const on = (preemption: object) => {
      const ssh = { ssh_config: { hosts: ['h'], user: 'u' }, blocks: 'auto', preemption };
      const claims = [claim('low', A, 4, { priority: 1, runningAt: ctx.now - 100 * SECOND })];
      const full = [...claims, claim('b', B, 4)];
      return decide({ fleets: [aFleet('hosts', ssh)], gangs: [urgent], claims: full });
    };
    expect(evicted(on({}))).toEqual([]);
    expect(evicted(on({ mode: 'priority' }))).toEqual([]);
    const decision = on({ mode: 'priority', min_runtime: '1m', grace: '10s' });
    expect(evicted(decision)).toEqual(['job-low']);
    expect(jobChange(decision, 'job-low')?.eviction).toMatchObject({ seconds: 10 });
  });

  it('asks in vain if a user gives one of the runs another priority meanwhile', () => {
    const claims = [claim('low', A, 4, { priority: 1 }), claim('b', B, 4)];
    expect(changesOf(decide({ gangs: [urgent], claims }, mode), 'run.check')).toEqual([
      { type: 'run.check', id: 'run-a', priority: 9 },
      { type: 'run.check', id: 'run-low', priority: 1 },
    ]);
  });

  it('leaves equals alone', () => {
    const claims = [claim('same', A, 8, { priority: 9 })];
    expect(evicted(decide({ gangs: [urgent], claims }, mode))).toEqual([]);
  });
});
