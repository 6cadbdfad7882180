import type { Backend } from '@dstack/backends';
import type { AgentLease } from '@dstack/contract/agent';
import type { BackendName, InstanceRecord } from '@dstack/core';
import type { Store } from '@dstack/store';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AgentUnreachable } from './agent-client.ts';
import { AgentLeases } from './agent-leases.ts';

describe('leases of agents', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  /**
   * One host of each name; `aws` and `gcp` are configured, and machines of `aws` can end
   * themselves.
   */
  function setUp(seconds: number | null = 7200, failures = 0) {
    const sent: [string, AgentLease][] = [];
    const backends: Record<string, object> = { aws: { leaseEnding: 'exit' }, gcp: {} };
    const lease = async (hostId: string, body: AgentLease) => {
      if (failures-- > 0) throw new AgentUnreachable('no answer');
      sent.push([hostId, body]);
    };
    const leases = new AgentLeases({
      store: {
        instances: {
          onHost: async (hostId: string) =>
            hostId === 'nobody'
              ? []
              : [{ projectId: 'p', backend: hostId as BackendName } as InstanceRecord],
        },
      } as unknown as Store,
      backend: async (_projectId, name) =>
        backends[name] ? ({ instances: backends[name] } as unknown as Backend) : null,
      ...{ seconds, log: pino({ level: 'silent' }), retryMs: 10 },
      client: (hostId) => ({ lease: (body) => lease(hostId, body) }),
    });
    const connect = async (...hosts: string[]) => {
      for (const host of hosts) leases.connected(host);
      await vi.advanceTimersByTimeAsync(0);
      return sent.splice(0);
    };
    return { leases, connect, sent };
  }

  it('are for machines that a provider has created and that can end themselves', async () => {
    const { connect } = setUp();
    const sent = await connect('aws', 'gcp', 'lambda', 'remote', 'local', 'nobody');
    expect(sent).toEqual([['aws', { seconds: 7200, ending: 'exit' }]]);
  });

  it('are sent with each connection, and withdrawn when they are switched off', async () => {
    const { connect } = setUp();
    expect([...(await connect('aws')), ...(await connect('aws'))]).toHaveLength(2);
    expect(await setUp(null).connect('aws')).toEqual([['aws', { seconds: null, ending: 'exit' }]]);
  });

  it('are sent again until the agent has them', async () => {
    const { connect, sent, leases } = setUp(7200, 2);
    await connect('aws');
    await vi.advanceTimersByTimeAsync(1000);
    expect(sent).toHaveLength(1);
    leases.close();
  });
});
