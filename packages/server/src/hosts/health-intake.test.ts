import type { AgentInfo, HostCheck } from '@dstack/contract/agent';
import type { HostHealthRecord, Signal } from '@dstack/core';
import type { HealthCheckRecord } from '@dstack/store';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HealthIntake } from './health-intake.ts';
import { AGENT_INFO } from './testing/agent-info.ts';

const SECOND = 1_000_000;
const START = Date.parse('2026-11-24T12:00:00Z');
const FINE: HostCheck = { name: 'disk', status: 'healthy', message: null };
const LOST: HostCheck = { name: 'gpu', status: 'failure', message: 'GPU 1 is lost' };
const CLOCK: HostCheck = { name: 'clock', status: 'healthy', message: null };

interface Written {
  readonly health: HostHealthRecord;
  readonly history: readonly HealthCheckRecord[];
  readonly signals: readonly Signal[];
}

const micros = () => Date.now() * 1000;
let written: Written[];
let stored: HostHealthRecord | null;
let failing: Error | null;
let info: () => Promise<AgentInfo>;
let asked: number;
let intake: HealthIntake;

beforeEach(() => {
  vi.useFakeTimers({ now: START });
  [written, stored, failing, asked] = [[], null, null, 0];
  info = async () => ({ ...AGENT_INFO, time: micros() });
  const hosts = {
    health: async () => stored,
    saveHealth: async (
      health: HostHealthRecord,
      history: readonly HealthCheckRecord[],
      extras: { readonly signals: readonly Signal[] },
    ) => {
      if (failing) throw failing;
      stored = health;
      written.push({ health, history, signals: extras.signals });
    },
  };
  const instances = { onHost: async () => [{ id: 'i-0' }, { id: 'i-1' }] };
  let ids = 0;
  intake = new HealthIntake({
    store: { hosts, instances } as never,
    client: () => ({
      info: () => {
        asked += 1;
        return info();
      },
    }),
    intervalSeconds: 10,
    now: micros,
    newId: () => `id-${++ids}`,
    log: pino({ level: 'silent' }),
  });
});
afterEach(() => {
  intake.close();
  vi.useRealTimers();
});

async function report(checks: readonly HostCheck[], hostId = 'h', time = micros()) {
  intake.take(hostId, { time, checks });
  await pass(0);
}
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const statuses = () => written.map(({ history }) => history[0]?.status);

describe('the health report of an agent about its host', () => {
  it('is stored for the host and each of its instances, whose passes follow', async () => {
    await report([FINE, LOST]);
    const at = START * 1000;
    expect(written).toHaveLength(1);
    expect(written[0]?.health).toEqual({
      ...{ hostId: 'h', checks: [FINE, LOST, CLOCK], since: at, reportedAt: at },
    });
    expect(written[0]?.history).toEqual([
      expect.objectContaining({ id: 'id-1', instanceId: 'i-0', status: 'failure' }),
      expect.objectContaining({ id: 'id-2', instanceId: 'i-1', status: 'failure' }),
    ]);
    expect(JSON.parse(written[0]?.history[0]?.response ?? '')).toEqual({
      events: [
        {
          timestamp: '2026-11-24T12:00:00Z',
          status: 'failure',
          message: 'gpu: GPU 1 is lost',
        },
      ],
      checks: [FINE, LOST, CLOCK],
    });
    expect(written[0]?.signals).toEqual([
      { kind: 'instance', id: 'i-0' },
      { kind: 'instance', id: 'i-1' },
    ]);
  });

  it('is stored when it changes, and once a day when it does not', async () => {
    await report([FINE]);
    for (let hour = 0; hour < 23; hour++) {
      await pass(3_600_000);
      await report([FINE]);
    }
    expect(written).toHaveLength(1);
    await pass(3_600_000);
    await report([FINE]);
    expect(written).toHaveLength(2);
    expect(stored?.since).toBe(START * 1000);
    await pass(60_000);
    await report([LOST]);
    expect(statuses()).toEqual(['healthy', 'healthy', 'failure']);
    expect(stored?.since).toBe(micros());
  });

  it('is not stored more often than the interval, and then with the newest values', async () => {
    await report([FINE]);
    await pass(1000);
    for (const checks of [[LOST], [FINE], [LOST], [FINE, LOST]]) await report(checks);
    expect(written).toHaveLength(1);
    await pass(8999);
    expect(written).toHaveLength(1);
    await pass(1);
    expect(written).toHaveLength(2);
    expect(stored?.checks).toEqual([FINE, LOST, CLOCK]);
    await pass(100_000);
    expect(written).toHaveLength(2);
  });

  it('that passes again within the interval leaves no trace', async () => {
    await report([FINE]);
    await report([LOST]);
    await report([FINE]);
    await pass(100_000);
    expect(written).toHaveLength(1);
  });

  it('that could not be stored is stored with the next report', async () => {
    failing = new Error('disk is full');
    await report([LOST]);
    failing = null;
    await report([LOST]);
    expect(statuses()).toEqual(['failure']);
  });

  it('frees or removes the capacity of the server’s machine', async () => {
    const local = { kind: 'capacity', id: 'local' };
    await report([FINE], 'local');
    expect(written[0]?.signals).not.toContainEqual(local);
    await pass(60_000);
    await report([LOST], 'local');
    expect(written[1]?.signals).toContainEqual(local);
    await pass(60_000);
    await report([FINE], 'local');
    expect(written[2]?.signals).toContainEqual(local);
  });

  describe('contains the time of the host, which', () => {
    it('is compared without a request as long as it is right', async () => {
      await report([FINE], 'h', micros() - 5 * SECOND);
      expect([asked, stored?.checks]).toEqual([0, [FINE, CLOCK]]);
    });

    it('is requested when a report seems late, and may still be right', async () => {
      await report([FINE], 'h', micros() - 60 * SECOND);
      expect([asked, stored?.checks]).toEqual([1, [FINE, CLOCK]]);
    });

    it('is a warning when it is wrong', async () => {
      info = async () => ({ ...AGENT_INFO, time: micros() - 60 * SECOND });
      await report([FINE], 'h', micros() - 60 * SECOND);
      expect(stored?.checks[1]).toMatchObject({ name: 'clock', status: 'warning' });
      info = async () => Promise.reject(new Error('not reached'));
      await pass(60_000);
      await report([LOST], 'h', micros() - 60 * SECOND);
      expect(stored?.checks[1]).toMatchObject({ name: 'clock', status: 'warning' });
    });

    it('is unknown if the agent does not send it', async () => {
      info = async () => AGENT_INFO;
      await report([FINE], 'h', micros() - 60 * SECOND);
      expect(stored?.checks).toEqual([FINE]);
    });
  });
});
