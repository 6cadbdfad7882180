/** Servers of a simulation whose only backend is the adapter of a cloud, as the server opens it. */
import { type Backend, type BackendHost, backendKind } from '@dstack/backends';
import type { BackendType } from '@dstack/contract/wire';
import { capabilitiesOf } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { DirectCloud } from '@dstack/testkit/cloud';
import type { Random } from '@dstack/testkit/random';
import { boundedBackend } from '../../offers/bounded-backend.ts';
import { capacityHints } from '../../offers/capacity-hints.ts';
import type { ProjectBackends } from '../../offers/project-backends.ts';
import type { SweepPolicy } from '../../sweep/sweep-backend.ts';
import type { SimClock } from '../simulation/sim-clock.ts';
import { type Offsets, SimHostClock } from '../simulation/sim-host-clock.ts';
import { SimPeers } from '../simulation/sim-peers.ts';
import { SimServer } from '../simulation/sim-server.ts';
import { ENGINE_SETTINGS } from '../simulation/sim-settings.ts';
import type { CloudWorld } from './cloud-world.ts';
import { CLOUDS, type CloudName } from './simulated-clouds.ts';

const SECOND = 1_000_000;
/** The time that a client waits for an answer. */
const TIMEOUT = 25 * SECOND;
export const RIGHT: Offsets = { none: 1, second: 0, hour: 0, day: 0 };
export const WRONG: Offsets = { none: 0, second: 0, hour: 1, day: 0 };

export interface CloudServersParts {
  readonly clock: SimClock;
  readonly random: Random;
  readonly world: CloudWorld;
  readonly store: Store;
  readonly as: BackendType;
  readonly cloud: CloudName;
  readonly onFailure: (error: unknown) => void;
  /** Omitted: servers look for no orphans. */
  readonly sweep?: SweepPolicy;
}

export class CloudServers {
  readonly #parts: CloudServersParts;
  readonly #peers: SimPeers;
  readonly #dead = new Set<object>();
  #all: SimServer[] = [];
  #names = 0;

  constructor(parts: CloudServersParts) {
    this.#parts = parts;
    this.#peers = new SimPeers(parts.clock, parts.random);
  }

  /** Servers that have called the provider. */
  get callers(): readonly object[] {
    return [...this.#callers];
  }

  readonly #callers = new Set<object>();
  /** Called with the step that a call is, before it is sent. */
  onCall: (step: 'order' | 'end') => void = () => {};

  get all(): readonly SimServer[] {
    return this.#all;
  }

  /** `offsets`: how wrong its clock is, and how far it is set. */
  async start(offsets: Offsets = RIGHT): Promise<SimServer> {
    const { clock, random, world, store, onFailure, as, cloud, sweep } = this.#parts;
    const backends = await openBackends(world.account, store, as, cloud);
    const server = new SimServer({
      ...{ clock, random, world, store, backends, peers: this.#peers, onBreach: onFailure },
      settings: ENGINE_SETTINGS,
      ...{ hostClock: new SimHostClock(clock, random, offsets), hasSharedTime: true },
      ...{ name: `server-${++this.#names}`, retention: null, drainSeconds: () => 0 },
      ...(sweep && { sweep }),
      observer: { applied: () => {}, passEnded: () => {} },
    });
    this.#all.push(server);
    void server.start().catch(onFailure);
    return server;
  }

  /** Kill -9 of all of them, or of the first. */
  kill(which = this.#all): void {
    for (const server of which) {
      this.#dead.add(server);
      server.crash();
    }
    this.#all = this.#all.filter((server) => !which.includes(server));
  }

  /** The calls of servers to their provider: those of a dead one are neither sent nor answered. */
  readonly fetch: typeof fetch = async (input, init) => {
    const { clock, world, cloud } = this.#parts;
    const { owner } = clock;
    if (owner) await this.#alive(owner);
    if (owner) this.#callers.add(owner);
    const step = CLOUDS[cloud].stepOf(
      String(input),
      String(init?.body ?? ''),
      init?.method ?? 'GET',
    );
    if (step !== null) this.onCall(step);
    if (owner) await this.#alive(owner);
    const late = clock.outside.delay(TIMEOUT).then(() => {
      throw new DOMException('The operation was aborted due to timeout', 'TimeoutError');
    });
    const answer = clock.as(null, () => world.account.fetch(input, init));
    answer.catch(() => {});
    late.catch(() => {});
    try {
      return await Promise.race([answer, late]);
    } finally {
      if (owner) await this.#alive(owner);
    }
  };

  async #alive(owner: object): Promise<void> {
    await this.#parts.clock.running(owner);
    if (this.#dead.has(owner)) await new Promise<never>(() => {});
  }
}

/** Loads the adapter, so that nothing has to be loaded while the time is simulated. */
export async function openBackends(
  account: DirectCloud,
  store: Store,
  as: BackendType,
  cloud: CloudName,
): Promise<ProjectBackends> {
  const kind = backendKind(cloud);
  if (!kind) throw new Error('there is no adapter');
  const { variable, path = '', config, catalog } = CLOUDS[cloud];
  const { meta } = store;
  const parts = { facts: meta, sharedFacts: meta, catalog: catalog(account), leaseSeconds: 7200 };
  const host = { ...parts, ...CONTAINERS } as unknown as BackendHost;
  const reached = { url: 'https://dstack.example' };
  const opener = await kind.configure({ [variable]: `${account.url}${path}` }, reached).load(host);
  const origin = { isOperators: true };
  const opened = await opener.open(config(account.apiKey), 'secret', origin);
  const all: readonly Backend[] = [boundedBackend(renamed(opened.backend, as))];
  return {
    of: async () => all,
    find: async (_, name) => all.find((backend) => backend.name === name) ?? null,
    state: async () => ({ abilities: [], localOff: null, hints: capacityHints(all) }),
  };
}

/** The agents of containers are scripted: no connection is opened, and nothing is fetched. */
const CONTAINERS: Pick<BackendHost, 'dialIns' | 'downloads'> = {
  dialIns: { take: async () => null, watch: () => () => {} },
  downloads: {
    agent: async () => ({ path: '/api/agents/program/x64-0', sha256: 'f'.repeat(64) }),
  },
};

/** The same machines by another name, with what the backend of that name can do. */
function renamed(backend: Backend, as: BackendType): Backend {
  const { instances } = backend;
  if (as === backend.name || instances === null) return backend;
  return {
    ...backend,
    ...{ name: as, capabilities: capabilitiesOf(as) },
    offers: async (requirements) => {
      const { offers, notes } = await backend.offers(requirements);
      return { offers: offers.map((offer) => ({ ...offer, backend: as })), notes };
    },
    instances: {
      create: (order) => instances.create(order),
      release: (handle) => instances.release(handle),
      list: (owner) => instances.list(owner),
      observe: async (handle, seen) => {
        const seenNow = await instances.observe(handle, seen);
        if (seenNow.state !== 'ready' || seenNow.machine === null) return seenNow;
        const { machine } = seenNow;
        const provisioningData = { ...machine.provisioningData, backend: as };
        return { ...seenNow, machine: { ...machine, provisioningData } };
      },
    },
  };
}
