import type { IntentOf } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { AgentRefusal } from '../../hosts/agent-client.ts';
import { jobNotice } from './job-notice.ts';

const NOW = 1_000_000_000;
const notice = {
  message: 'lab-0 is drained by ann',
  requestedAt: NOW,
  interruptAt: NOW + 30_000_000,
  endsAt: NOW + 60_000_000,
};

function carryOut(payload: { notice: typeof notice | null }, answer: () => unknown, now = NOW) {
  const calls: unknown[] = [];
  const record =
    (name: string) =>
    async (...args: unknown[]) => {
      calls.push([name, ...args]);
      return answer();
    };
  const agent = { noticeJob: record('notice'), withdrawNotice: record('withdraw') };
  const effects = {
    now: () => now,
    hosts: { client: () => agent },
    store: {
      jobs: { byId: async () => ({ job: { id: 'j', instanceId: 'i' } }) },
      instances: { byId: async () => ({ instance: { hostId: 'h' } }) },
    },
  };
  const reason = 'interrupted_by_no_capacity';
  const intent = {
    ...{ key: 'job.notice:j:0', kind: 'job.notice', subjectId: 'j' },
    payload: { kind: 'job.notice', reason, ...payload },
  } as unknown as IntentOf<'job.notice'>;
  const result = jobNotice.handle(effects as never, intent);
  return { result, calls };
}

const state = (stop_stage: string | null) => () => ({ stop_stage });

describe('the order of a notice', () => {
  it('has what is left of its times, since the clock of the host may differ', async () => {
    const { result, calls } = carryOut({ notice }, state(null), NOW + 10_000_000);
    expect(await result).toEqual({ kind: 'ok' });
    expect(calls).toEqual([
      [
        'notice',
        'j',
        {
          ...{ id: 'job.notice:j:0', reason: 'interrupted_by_no_capacity' },
          ...{ message: 'lab-0 is drained by ann', interrupt_in: 20, ends_in: 50 },
        },
      ],
    ]);
  });

  it('that is late, or sent by a clock that was set ahead, leaves the grace after Ctrl-C', async () => {
    for (const late of [45, 3600]) {
      const { result, calls } = carryOut({ notice }, state(null), NOW + late * 1_000_000);
      await result;
      expect(calls).toMatchObject([['notice', 'j', { interrupt_in: 0, ends_in: 30 }]]);
    }
  });

  it('is refused by an agent that knows none, which has the job', async () => {
    const unknown = (code: string) => () => {
      throw new AgentRefusal(404, code, 'no');
    };
    const old = carryOut({ notice }, unknown('not_found'));
    expect(await old.result).toMatchObject({ kind: 'refused', reason: 'unsupported' });
    const gone = carryOut({ notice }, unknown('unknown_job'));
    expect(await gone.result).toEqual({ kind: 'ok' });
  });

  it('to withdraw one is in vain after Ctrl-C', async () => {
    expect(await carryOut({ notice: null }, state(null)).result).toEqual({ kind: 'ok' });
    expect(await carryOut({ notice: null }, state('interrupt')).result).toMatchObject({
      ...{ kind: 'refused', reason: 'too_late' },
    });
  });
});
