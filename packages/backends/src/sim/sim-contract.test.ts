import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_FAULTS, type SimFaults } from '@dstack/contract';
import { requirementsMatch } from '@dstack/core';
import type { BackendWorld } from '../base/testing/backend-world.ts';
import { describeBackend } from '../base/testing/contract.suite.ts';
import { newOrder, REQUIREMENTS } from '../base/testing/orders.ts';
import { fileTables } from './file-tables.ts';
import { SIM_OFFERS } from './offers.ts';
import { SimProvider } from './provider.ts';
import { simBackend } from './sim.ts';
import { memoryTables, type SimTables } from './tables.ts';

const REGION = 'us-east-1';
const BOOT_SECONDS = 30;
/** Longer than any operation takes. */
const LONG = 600 * 1_000_000;

function world(
  tables: SimTables,
  faults: Partial<SimFaults>,
  end: () => void = () => {},
): BackendWorld {
  let now = 1_700_000_000_000_000;
  const provider = new SimProvider({
    clock: {
      get now() {
        return now;
      },
      delay: async () => {},
    },
    random: { whole: (from) => from, chance: (probability) => probability === 1 },
    faults: () => ({ ...NO_FAULTS, ...faults }),
    tables,
    agents: {
      start: async ({ id }) => ({
        hostname: `${id}.example`,
        internalIp: '10.0.0.1',
        access: { kind: 'socket', path: `/run/${id}`, token: 'secret' },
      }),
      stop: async () => {},
    },
  });
  const userVolume = { id: 'vol-of-user', region: REGION };
  provider.volumes.addOfUser({ ...userVolume, sizeGib: 5 });
  const backend = simBackend({
    as: 'aws',
    provider,
    offers: SIM_OFFERS,
    matches: requirementsMatch,
  });
  return {
    backend,
    userVolume,
    requirements: REQUIREMENTS,
    order: async (server) => {
      const { offers } = await backend.offers(REQUIREMENTS.met);
      return newOrder(offers[0] ?? null, server);
    },
    facts: async () => null,
    settle: async () => {
      now += LONG;
    },
    machines: async () => tables.machines.size,
    vanish: (handle) => provider.vanish(handle),
    calls: {
      fail: (answered, how) =>
        provider.calls.script(...Array<'answered'>(answered).fill('answered'), how),
      heal: () => provider.calls.script(),
    },
    close: async () => end(),
  };
}

describeBackend('a simulated cloud', async () => world(memoryTables(), {}));

describeBackend('a simulated cloud that is slow and eventually consistent', async () =>
  world(memoryTables(), {
    bootSeconds: [BOOT_SECONDS, BOOT_SECONDS],
    slowRelease: 1,
    attachSeconds: [BOOT_SECONDS, BOOT_SECONDS],
  }),
);

describeBackend('a simulated cloud in a folder', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'dstack-sim-'));
  return world(fileTables(dir), {}, () => rmSync(dir, { recursive: true }));
});
