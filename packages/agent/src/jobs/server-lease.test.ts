import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobPhase, LeaseEnding, StopJob } from '@dstack/contract/agent';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createEventLogger } from '../host/log.ts';
import { jobSpec } from '../testing/agent-harness.ts';
import type { AgentJobRecord } from './job-record.ts';
import { ServerLease } from './server-lease.ts';

const HOUR = 3600;

let dir: string;
let path: string;
let logged: string;
let uptime: number;
let bootId: string;
let jobs: FakeJob[];
let endings: LeaseEnding[];
const leases: ServerLease[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  dir = mkdtempSync(join(tmpdir(), 'lease-'));
  path = join(dir, 'lease.json');
  [logged, uptime, bootId, jobs, endings] = ['', 1000, 'boot-1', [], []];
});
afterEach(() => {
  for (const lease of leases.splice(0)) lease.close();
  vi.useRealTimers();
  rmSync(dir, { recursive: true });
});

interface FakeJob {
  phase: JobPhase;
  readonly record: AgentJobRecord;
  readonly stops: StopJob[];
  stop(order: StopJob): void;
}

function addJob(max_duration: number | null = null, phase: JobPhase = 'running'): FakeJob {
  const stops: StopJob[] = [];
  const record = { spec: jobSpec([], { max_duration }) } as AgentJobRecord;
  // Like a job: a repeated request has no effect.
  const stop = (order: StopJob): void => {
    if (stops.every((earlier) => earlier.grace && !order.grace)) stops.push(order);
  };
  const job = { phase, record, stops, stop };
  jobs.push(job);
  return job;
}

/** An agent that starts now. */
function agent(): ServerLease {
  const lease = new ServerLease({
    path,
    jobs: () => jobs,
    uptime: () => ({ bootId, seconds: uptime }),
    log: createEventLogger((line) => {
      logged += line;
    }),
    onEnd: (ending) => endings.push(ending),
  });
  leases.push(lease);
  lease.look();
  return lease;
}

/** Lets timers and the machine's uptime go on together. */
function pass(seconds: number): void {
  for (let done = 0; done < seconds; done += 10) {
    uptime += Math.min(10, seconds - done);
    vi.advanceTimersByTime(Math.min(10, seconds - done) * 1000);
  }
}

const TWO_HOURS = { seconds: 2 * HOUR, ending: 'exit' };

describe('an agent with a lease', () => {
  it('ends its machine when the server has not been there for the time of the lease', () => {
    agent().grant(TWO_HOURS);
    pass(2 * HOUR - 1);
    expect(endings).toEqual([]);
    pass(1);
    expect(endings).toEqual(['exit']);
  });

  it('lives on while the server is there', () => {
    const lease = agent();
    lease.grant(TWO_HOURS);
    for (let hour = 0; hour < 10; hour++) {
      pass(HOUR);
      lease.renew();
    }
    expect(endings).toEqual([]);
    pass(2 * HOUR);
    expect(endings).toEqual(['exit']);
  });

  it('lives on without its server once the lease is taken back', () => {
    const lease = agent();
    lease.grant(TWO_HOURS);
    lease.grant({ seconds: null, ending: 'exit' });
    expect(existsSync(path)).toBe(false);
    pass(5 * HOUR);
    expect(endings).toEqual([]);
  });

  it('orders the end again each minute while the machine goes on, until its server is back', () => {
    const lease = agent();
    lease.grant({ seconds: 2 * HOUR, ending: 'poweroff' });
    pass(2 * HOUR + 120);
    expect(endings).toEqual(['poweroff', 'poweroff', 'poweroff']);
    lease.renew();
    pass(HOUR);
    expect(endings).toHaveLength(3);
  });

  it('takes over the lease that its machine was born with', () => {
    const renewed = { bootId, seconds: uptime - 60 };
    writeFileSync(path, JSON.stringify({ seconds: HOUR, ending: 'poweroff', renewed }));
    agent();
    pass(HOUR - 61);
    expect(endings).toEqual([]);
    pass(1);
    expect(endings).toEqual(['poweroff']);
  });

  it('does not end machines in a way that it does not support', () => {
    const lease = agent();
    lease.grant(TWO_HOURS);
    lease.grant({ seconds: 10, ending: 'explode' });
    pass(5 * HOUR);
    expect(endings).toEqual([]);
    expect(logged).toContain('explode');
  });

  it('lets jobs continue for a second lease, and ends the machine when the last one has ended', () => {
    const job = addJob();
    const lease = agent();
    lease.grant(TWO_HOURS);
    pass(4 * HOUR - 1);
    expect([job.stops, endings]).toEqual([[], []]);
    pass(1);
    expect(job.stops).toMatchObject([{ grace: true, reason: 'terminated_by_server' }]);
    pass(2 * HOUR);
    expect(job.stops).toMatchObject([{ grace: true }, { grace: false }]);
    job.phase = 'exited';
    lease.look();
    expect(endings).toEqual(['exit']);
  });

  it('leaves jobs to their own `max_duration`, if they have begun', () => {
    const bounded = addJob(24 * HOUR);
    const held = addJob(24 * HOUR, 'held');
    const lease = agent();
    lease.grant(TWO_HOURS);
    pass(7 * HOUR);
    expect(bounded.stops).toEqual([]);
    expect(held.stops).toMatchObject([{ grace: true }, { grace: false }]);
    held.phase = 'exited';
    lease.look();
    expect(endings).toEqual([]);
    bounded.phase = 'exited';
    lease.look();
    expect(endings).toEqual(['exit']);
  });
});

describe('a lease', () => {
  it('continues over a restart of the agent', () => {
    agent().grant(TWO_HOURS);
    pass(HOUR);
    leases.splice(0)[0]?.close();
    uptime += 1800;
    agent();
    pass(1799);
    expect(endings).toEqual([]);
    pass(1);
    expect(endings).toEqual(['exit']);
  });

  it('that ended while the agent did not run leaves the server a minute to connect', () => {
    agent().grant(TWO_HOURS);
    leases.splice(0)[0]?.close();
    uptime += 10 * HOUR;
    const lease = agent();
    pass(59);
    expect(endings).toEqual([]);
    lease.renew();
    pass(HOUR);
    expect(endings).toEqual([]);
  });

  it('does not follow the wall clock', () => {
    agent().grant(TWO_HOURS);
    vi.setSystemTime(Date.now() + 365 * 86_400_000);
    pass(HOUR);
    expect(endings).toEqual([]);
    vi.setSystemTime(0);
    pass(HOUR);
    expect(endings).toEqual(['exit']);
  });

  it('continues while the machine sleeps', () => {
    agent().grant(TWO_HOURS);
    uptime += 3 * HOUR;
    // The timer was suspended too; the next check is a minute away at most.
    pass(60);
    expect(endings).toEqual(['exit']);
  });

  it('starts anew with a reboot', () => {
    agent().grant(TWO_HOURS);
    leases.splice(0)[0]?.close();
    [bootId, uptime] = ['boot-2', 20];
    agent();
    pass(2 * HOUR - 21);
    expect(endings).toEqual([]);
    pass(1);
    expect(endings).toEqual(['exit']);
  });

  it('is stored once a minute at most while it is renewed', () => {
    const lease = agent();
    lease.grant(TWO_HOURS);
    const before = readFileSync(path, 'utf8');
    pass(50);
    lease.renew();
    expect(readFileSync(path, 'utf8')).toBe(before);
    pass(10);
    lease.renew();
    expect(JSON.parse(readFileSync(path, 'utf8')).renewed.seconds).toBe(uptime);
  });

  it('that cannot be read counts as none', () => {
    for (const text of ['', '{}', '{"seconds":"x","ending":"exit","renewed":{}}', 'null']) {
      writeFileSync(path, text);
      agent();
    }
    pass(5 * HOUR);
    expect(endings).toEqual([]);
    expect(logged).toContain('the lease could not be read');
  });
});
