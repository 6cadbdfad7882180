import type { HostFacts } from '@dstack/contract/agent';
import { describe, expect, it } from 'vitest';
import { ownMachine } from './own-machine.ts';

const told = {
  arch: 'x86',
  cpus: 8,
  memory_bytes: 2 ** 34,
  gpus: [{ vendor: 'amd', name: 'MI300X', memory_mib: 196_608 }],
} as unknown as HostFacts;

const never = new Promise<never>(() => {});

describe('the server’s own machine', () => {
  it('is what its agent has told, also before the agent is there again', async () => {
    const machine = ownMachine({ facts: async () => told, told: never });
    expect(await machine()).toMatchObject({ cpus: 8, gpus: [{ name: 'MI300X' }] });
  });

  it('is waited for while the agent has never told anything', async () => {
    let facts: HostFacts | null = null;
    const agent = Promise.withResolvers<void>();
    const asked = ownMachine({ facts: async () => facts, told: agent.promise })();
    facts = told;
    agent.resolve();
    expect((await asked).gpus).toHaveLength(1);
  });

  it('has no GPUs that anybody knows of when the agent does not come', async () => {
    const machine = ownMachine({ facts: async () => null, told: Promise.resolve() });
    expect(await machine()).toMatchObject({ gpus: [] });
  });
});
