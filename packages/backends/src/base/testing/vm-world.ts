/** Backends of `base/rest-vm` at simulated accounts, for tests of their adapters. */
import {
  type Cloud,
  type CloudOptions,
  type ManualClock,
  manualClock,
  startCloud,
} from '@dstack/testkit/cloud';
import type { Backend } from '../port.ts';
import { LiveOffers } from '../rest-vm/live-offers.ts';
import type { CallPace } from '../rest-vm/pace.ts';
import { restVm } from '../rest-vm/rest-vm.ts';
import { sshWay } from '../rest-vm/ssh-way.ts';
import type { WholeCloud } from '../rest-vm/vm-cloud.ts';
import type { BackendWorld } from './backend-world.ts';
import { newOrder, REQUIREMENTS } from './orders.ts';
import { passingPace } from './passing-pace.ts';

/** Longer than a machine boots and ends. */
const SETTLED_S = 300;
const LEASE_S = 7200;

/** Facts that are lost with the process. */
export function factsInMemory() {
  const stored = new Map<string, string>();
  return {
    get: async (key: string) => stored.get(key) ?? null,
    set: async (key: string, value: string) => void stored.set(key, value),
  };
}

export function vmBackend(cloud: WholeCloud, pace: CallPace): Backend {
  const offers = new LiveOffers({
    ...{ title: cloud.title, ask: () => cloud.offers(), facts: factsInMemory() },
    ...{ factKey: 'offers', now: () => pace.now() },
  });
  return restVm({
    ...{ cloud, offers, way: sshWay(cloud, 'secret', LEASE_S), pace },
    leaseSeconds: LEASE_S,
  });
}

export interface VmWorldParts {
  readonly personality: CloudOptions['personality'];
  /** Whether the limits of the provider on calls hold; omitted: they do. */
  readonly limits?: boolean;
  readonly open: (cloud: Cloud, pace: CallPace) => Backend | Promise<Backend>;
}

/** For the contract: a new account, with machines that boot for a minute. */
export async function vmWorld({ personality, limits, open }: VmWorldParts): Promise<BackendWorld> {
  const clock = manualClock();
  const cloud = await startCloud({
    ...{ personality, clock, faults: { boot_seconds: [60, 60], delete_seconds: 20 } },
    ...(limits !== undefined && { limits }),
  });
  return vmWorldOf({ cloud, clock, backend: await open(cloud, passingPace(clock)) });
}

/** For the contract, at an account that exists. */
export function vmWorldOf({
  cloud,
  clock,
  backend,
}: {
  readonly cloud: Cloud;
  readonly clock: ManualClock;
  readonly backend: Backend;
}): BackendWorld {
  return {
    ...{ backend, requirements: REQUIREMENTS, calls: cloud.calls, userVolume: null },
    order: async (server) => {
      const { offers } = await backend.offers(REQUIREMENTS.met);
      return { ...newOrder(offers[0] ?? null, server), authorizedKeys: [KEY] };
    },
    facts: async () => null,
    settle: async () => clock.advance(SETTLED_S),
    machines: async () => cloud.vms(),
    vanish: ({ id }) => cloud.vanish(id),
    close: () => cloud.close(),
  };
}

export const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBs= ada';
