import { describe, expect, it } from 'vitest';
import { leaseStep } from './lease-rules.ts';

const HOUR = 3600;
const at = (seconds: number, bootId = 'boot-1') => ({ bootId, seconds });
const lease = { seconds: 2 * HOUR, renewed: at(1000) };
const startedAt = at(500);
const step = (seconds: number, hasJobs = false) =>
  leaseStep(lease, at(1000 + seconds), { hasJobs, startedAt });

describe('an agent without its server', () => {
  it('waits until its lease is over, then ends the machine', () => {
    expect(step(0)).toEqual({ kind: 'wait', seconds: 2 * HOUR });
    expect(step(2 * HOUR - 1)).toEqual({ kind: 'wait', seconds: 1 });
    expect(step(2 * HOUR)).toEqual({ kind: 'end' });
  });

  it('leaves its jobs a second lease, then stops them, then kills them', () => {
    expect(step(2 * HOUR, true)).toEqual({ kind: 'wait', seconds: 2 * HOUR });
    expect(step(4 * HOUR, true)).toEqual({ kind: 'stop-jobs', grace: true, seconds: 2 * HOUR });
    expect(step(6 * HOUR, true)).toEqual({ kind: 'stop-jobs', grace: false, seconds: null });
    expect(step(5 * HOUR)).toEqual({ kind: 'end' });
  });

  it('waits for the server for a while after its own start, whatever time has passed', () => {
    const restarted = { hasJobs: false, startedAt: at(20 * HOUR) };
    expect(leaseStep(lease, at(20 * HOUR + 10), restarted)).toEqual({ kind: 'wait', seconds: 50 });
    expect(leaseStep(lease, at(20 * HOUR + 60), restarted)).toEqual({ kind: 'end' });
    const short = { seconds: 5, renewed: at(1000) };
    expect(leaseStep(short, at(20 * HOUR + 1), restarted)).toEqual({ kind: 'wait', seconds: 4 });
  });

  it('counts from the boot once the machine was rebooted', () => {
    const rebooted = (seconds: number) => at(seconds, 'boot-2');
    const from = { hasJobs: false, startedAt: rebooted(30) };
    expect(leaseStep(lease, rebooted(40), from)).toEqual({ kind: 'wait', seconds: 2 * HOUR - 40 });
    expect(leaseStep(lease, rebooted(2 * HOUR), from)).toEqual({ kind: 'end' });
    // Where boots have no ids, an uptime that decreases indicates a reboot.
    const nameless = { seconds: HOUR, renewed: at(5000, '') };
    const { kind } = leaseStep(nameless, at(10, ''), { hasJobs: false, startedAt: at(5, '') });
    expect(kind).toBe('wait');
  });
});
