import type { Backend } from '@dstack/backends';
import type { NoticeWatch } from '@dstack/contract/agent';
import type { BackendName, InstanceRecord } from '@dstack/core';
import type { Store } from '@dstack/store';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HostNotices } from './host-notices.ts';

const WATCH: NoticeWatch = {
  sources: [
    {
      ...{ url: 'http://169.254.169.254/', headers: {}, token: null, interval_secs: 5 },
      ...{ leaves_secs: 120, equals: 'TRUE', at: null, reason: null },
    },
  ],
};

describe('notices of providers', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  /** One host of each name; machines of `aws` find that they are taken back, those of `gcp` do not. */
  function setUp(failures = 0) {
    const sent: [string, NoticeWatch][] = [];
    const written: object[] = [];
    const backends: Record<string, object> = { aws: { notices: WATCH }, gcp: {} };
    const row = (hostId: string) =>
      ({
        ...{ id: `on-${hostId}`, projectId: 'p', backend: hostId as BackendName, status: 'busy' },
        ...{ scheduling: null, version: 1, deleted: false, fleetId: 'f', name: 'pool-0' },
      }) as InstanceRecord;
    const notices = new HostNotices({
      store: {
        instances: { onHost: async (hostId: string) => [row(hostId)] },
        engine: {
          updateInstance: async (
            id: string,
            decide: (held: object) => { readonly changes: readonly object[] } | null,
          ) => {
            if (failures-- > 0) throw new Error('no connection');
            const { changes = [] } = decide({ instance: row(id.slice(3)), jobs: [] }) ?? {};
            written.push(...changes.filter((one) => 'set' in one));
            return null;
          },
        },
      } as unknown as Store,
      backend: async (_projectId, name) =>
        backends[name] ? ({ instances: backends[name] } as unknown as Backend) : null,
      ...{ now: () => 1000, log: pino({ level: 'silent' }), retryMs: 10 },
      client: (hostId) => ({ watchNotices: async (body) => void sent.push([hostId, body]) }),
    });
    return { notices, sent, written };
  }

  const NOTICE = { reason: 'terminate', at: '2026-12-01T10:02:00Z', left_secs: 1e300 };

  it('are watched for on machines whose provider announces them', async () => {
    const { notices, sent } = setUp();
    for (const host of ['aws', 'gcp', 'lambda', 'remote', 'local']) notices.connected(host);
    await vi.advanceTimersByTimeAsync(0);
    expect(sent).toEqual([['aws', WATCH]]);
  });

  it('leave no more time than the provider ever does, whatever the agent reports', async () => {
    const { notices, written } = setUp();
    notices.take('aws', { ...NOTICE, reason: 'a\nb' });
    await vi.advanceTimersByTimeAsync(0);
    expect(written).toMatchObject([
      {
        set: {
          scheduling: {
            ...{ state: 'draining', by: 'aws', reason: 'a b at 2026-12-01T10:02:00Z' },
            ...{ seconds: 110, isTakenBack: true },
          },
        },
      },
    ]);
  });

  it('of hosts whose provider announces none decide about nothing', async () => {
    const { notices, written } = setUp();
    for (const host of ['gcp', 'remote', 'local']) notices.take(host, NOTICE);
    await vi.advanceTimersByTimeAsync(0);
    expect(written).toEqual([]);
  });

  it('are stored later, with the time that is left then, while the database does not answer', async () => {
    const { notices, written } = setUp(2);
    notices.take('aws', { ...NOTICE, left_secs: 60 });
    await vi.advanceTimersByTimeAsync(30);
    expect(written).toHaveLength(1);
    notices.close();
  });
});
