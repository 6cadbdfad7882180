/** One server of a simulation: the real loops, effects and hosts, on a store that it shares. */
import {
  buildJobSpecs,
  type Change,
  type EngineSettings,
  type Id,
  type InstanceRecord,
  type IntentResult,
  isInstanceActive,
  machineOfHost,
  nextFire,
  type RunContext,
} from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Random } from '@dstack/testkit/random';
import { pino } from 'pino';
import { Drain } from '../../effects/drain.ts';
import { effectIsOurs } from '../../effects/effect-owner.ts';
import { effects } from '../../effects/effects.ts';
import { JobStarter } from '../../effects/start-job.ts';
import { HealthIntake } from '../../hosts/health-intake.ts';
import { Hosts } from '../../hosts/hosts.ts';
import { HostNotReady } from '../../hosts/ssh/ssh-fleets.ts';
import type { LogStore } from '../../logs/log-store.ts';
import { TableLogStore } from '../../logs/tables/table-log-store.ts';
import { Engine } from '../../loops/engine.ts';
import { LogQuota } from '../../loops/log-quota.ts';
import { RunChanges } from '../../loops/run-changes.ts';
import { instanceOffers } from '../../offers/instance-offers.ts';
import { offerSource } from '../../offers/offer-source.ts';
import type { ProjectBackends } from '../../offers/project-backends.ts';
import { PortStore } from './port-store.ts';
import type { SimWorld } from './sim-backends.ts';
import type { SimClock } from './sim-clock.ts';
import { SimLink } from './sim-link.ts';

export const ENGINE_SETTINGS: EngineSettings = {
  unreachableTolerance: null,
  maxOffersTried: 25,
  jobNetworkMode: 1,
  localMaxInstances: 3,
};

export interface SimServerParts {
  readonly name: string;
  /** The one database of all servers. */
  readonly store: Store;
  readonly world: SimWorld;
  readonly clock: SimClock;
  readonly random: Random;
  readonly backends: ProjectBackends;
  /** Sees every change that this server has written. */
  readonly onApplied: (changes: readonly Change[]) => void;
  /** Seconds for which requests of a replica that is scaled down go on. */
  readonly drainSeconds: () => number;
}

const log = pino({ level: process.env.SIM_LOG ?? 'silent' });

export class SimServer {
  readonly name: string;
  readonly #parts: SimServerParts;
  readonly #ports: PortStore;
  readonly #engine: Engine;
  readonly #hosts: Hosts;
  readonly #health: HealthIntake;
  readonly #logs: TableLogStore;
  readonly #unsubscribe: () => void;
  readonly offers: ReturnType<typeof offerSource>;
  /** Hosts to which another server is linked. */
  readonly #elsewhere = new Set<string>();
  #dead = false;

  constructor(parts: SimServerParts) {
    this.name = parts.name;
    this.#parts = parts;
    const { clock, random, backends } = parts;
    this.#ports = new PortStore(parts.store, { clock, random });
    const store = this.#ports.store;
    const now = () => clock.now;
    this.#logs = new TableLogStore({
      now,
      quotaPerHour: 0,
      onQuota: () => {},
      onSyncError: (ref, error) => log.warn({ job: ref.jobId, err: error }, 'log not durable yet'),
      tables: store.logs.tables,
      signals: store.logs.signals,
    });
    this.#health = new HealthIntake({
      ...{ store, log, now, wallClock: now, newId: () => random.uuid(), intervalSeconds: 0 },
      client: (hostId) => this.#hosts.client(hostId),
    });
    this.#hosts = new Hosts({
      ...{ store, log, now, logs: this.#logs },
      onHealth: (hostId, report) => this.#health.take(hostId, report),
      serverId: 'simulation',
      owner: random.uuid(),
      link: (options) =>
        new SimLink(options, { host: this.#hostOf(options.hostId), clock, random }),
    });
    this.offers = offerSource(backends, log);
    const effect = effects({
      ...{ store, log, backends },
      hosts: this.#hosts,
      sshFleets: {
        deploy: (instance) => this.#deploy(instance),
        remove: (instance) => this.#remove(instance),
      },
      starter: new JobStarter({
        ...{ store, defaultRegistry: null, pushKeys: () => {} },
        blobs: { get: async () => null },
        local: {
          projects: new Set(['first', 'second']),
          trusted: false,
          mounts: false,
          users: false,
        },
      }),
      drain: new Drain({ store, services: this.#services(), now }),
      now,
      fleetOffers: instanceOffers(this.offers),
    });
    this.#engine = new Engine({
      ...{ store, log, effect, offers: this.offers },
      effectIsOurs: effectIsOurs({ store, hosts: this.#hosts }),
      context: () => this.context(),
      changes: new RunChanges(),
      quota: new LogQuota(store, log),
      owner: random.uuid(),
      observer: { passEnded: () => {}, applied: (changes) => this.#onApplied(changes) },
    });
    this.#unsubscribe = parts.store.engine.onSignal(({ kind, id }) => {
      if (kind === 'instance') void this.#follow(id);
    });
  }

  async start(): Promise<void> {
    await this.#engine.start();
    const unfinished = await this.#parts.store.engine.unfinished();
    for (const { kind, id } of unfinished) if (kind === 'instance') void this.#follow(id);
  }

  /** As kill -9: nothing that was under way writes or does anything any more. */
  crash(): void {
    this.#dead = true;
    this.#ports.cut();
    this.#unsubscribe();
    void this.#engine.close();
    this.#health.close();
    for (const id of this.#hosts.ids) void this.#hosts.remove(id);
  }

  get logs(): LogStore {
    return this.#logs;
  }

  get depths() {
    return this.#engine.depths();
  }

  /** Calls to the database under way: what they lead to is not in a queue yet. */
  get calls(): number {
    return this.#ports.calls;
  }

  context(): RunContext {
    const { clock, random } = this.#parts;
    return {
      now: clock.now,
      newId: () => random.uuid(),
      settings: ENGINE_SETTINGS,
      nextFire,
      buildJobs: (run, replicaNum, replicaGroup) => {
        const built = buildJobSpecs(run.spec, { runName: run.name, replicaNum, replicaGroup });
        if (!built.ok) throw new Error(built.message);
        return built.jobSpecs;
      },
    };
  }

  /** Links are opened to the hosts of instances that are up, and closed with them. */
  async #follow(instanceId: Id): Promise<void> {
    if (this.#dead) return;
    const view = await this.#parts.store.instances.byId(instanceId);
    if (this.#dead || !view) return;
    const { instance } = view;
    const hostId = instance.hostId;
    if (hostId === null || hostId === 'local') {
      if (hostId === 'local') await this.#link('local');
      return;
    }
    if (!isInstanceActive(instance.status)) await this.#hosts.remove(hostId);
    else if (instance.provisioningData !== null) await this.#link(hostId);
  }

  async #link(hostId: string): Promise<void> {
    if (this.#dead || this.#hosts.has(hostId)) return;
    const unused = () => Promise.reject(new Error('links of a simulation are scripted')) as never;
    const taken = await this.#hosts.add({
      ...{ hostId, dial: unused, token: '' },
      prepare: async () => {},
    });
    // Another server has it: this one tries again once that one may have gone.
    if (taken || this.#dead || this.#elsewhere.has(hostId)) return;
    this.#elsewhere.add(hostId);
    this.#parts.clock.after(10_000_000, () => void this.#relink(hostId));
  }

  async #relink(hostId: string): Promise<void> {
    this.#elsewhere.delete(hostId);
    if (this.#dead) return;
    const [instance] = await this.#parts.store.instances.onHost(hostId);
    if (instance) await this.#follow(instance.id);
  }

  #hostOf(hostId: string) {
    const { world } = this.#parts;
    if (hostId === 'local') {
      const host = world.host('local', { cpus: 8, gpus: 0 }, 'process');
      host.setReachable(true);
      return host;
    }
    return world.host(hostId, { cpus: 8, gpus: 0 }, 'docker');
  }

  async #deploy(instance: InstanceRecord): Promise<IntentResult> {
    const { clock, random, world, store } = this.#parts;
    await clock.delay(random.whole(200, 5_000) * 1000);
    if (random.chance(world.parts.hostFaults.lostAnswer)) throw new HostNotReady('not yet');
    const record = await store.sshHosts.byId(instance.id);
    if (!record) return { kind: 'refused', reason: 'error', message: 'not known' };
    const { hostname } = record.login;
    const gpus = hostname.includes('gpu') ? 1 : 0;
    const host = world.host(instance.id, { cpus: 8, gpus }, 'docker');
    const machine = machineOfHost({
      instanceId: instance.id,
      host: { ...record.login, internalIp: null, proxyJump: null },
      network: null,
      blocks: instance.totalBlocks ?? 1,
      facts: { ...host.facts, addresses: [`10.1.0.${instance.instanceNum + 1}/24`] },
    });
    if (!machine.ok) return { kind: 'refused', reason: 'error', message: machine.message };
    host.setReachable(true);
    const { offer, provisioningData, totalBlocks } = machine;
    void this.#link(instance.id);
    return { kind: 'host.deployed', offer, provisioningData, totalBlocks };
  }

  async #remove(instance: InstanceRecord): Promise<IntentResult> {
    const { clock, world, store } = this.#parts;
    await clock.delay(200_000);
    await this.#hosts.remove(instance.id);
    world.hosts.get(instance.id)?.destroy();
    world.hosts.delete(instance.id);
    await store.sshHosts.delete([instance.id]);
    return { kind: 'ok' };
  }

  #services() {
    const { clock, drainSeconds } = this.#parts;
    const until = new Map<Id, number>();
    return {
      leave: (jobId: Id, whenIdle: () => void): boolean => {
        const known = until.get(jobId) ?? clock.now + drainSeconds() * 1_000_000;
        if (!until.has(jobId)) clock.after(known - clock.now, whenIdle);
        until.set(jobId, known);
        return clock.now >= known;
      },
    };
  }

  #onApplied(changes: readonly Change[]): void {
    this.#parts.onApplied(changes);
    for (const change of changes) {
      const touched = change.type === 'instance.update' || change.type === 'instance.insert';
      if (!touched) continue;
      void this.#follow(change.type === 'instance.update' ? change.id : change.instance.id);
    }
  }
}
