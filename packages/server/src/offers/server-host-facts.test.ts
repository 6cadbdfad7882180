import type { HostFacts } from '@dstack/contract/agent';
import { describe, expect, it } from 'vitest';
import { reportedServerHost } from './server-host-facts.ts';

const reported = {
  arch: 'x86',
  cpus: 8,
  memory_bytes: 2 ** 34,
  gpus: [{ vendor: 'amd', name: 'MI300X', memory_mib: 196_608 }],
} as unknown as HostFacts;

const never = new Promise<never>(() => {});

describe('the facts of the server’s machine', () => {
  it('are those that its agent reported last, also before the agent connects again', async () => {
    const host = reportedServerHost({ facts: async () => reported, reported: never });
    expect(await host()).toMatchObject({ cpus: 8, gpus: [{ name: 'MI300X' }] });
  });

  it('are awaited if the agent has never reported any', async () => {
    let facts: HostFacts | null = null;
    const agent = Promise.withResolvers<void>();
    const asked = reportedServerHost({ facts: async () => facts, reported: agent.promise })();
    facts = reported;
    agent.resolve();
    expect((await asked).gpus).toHaveLength(1);
  });

  it('have no GPUs if the agent does not connect', async () => {
    const host = reportedServerHost({ facts: async () => null, reported: Promise.resolve() });
    expect(await host()).toMatchObject({ gpus: [] });
  });
});
