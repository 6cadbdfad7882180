/** One server of a simulation: the real loops, effects and hosts, on a store that it shares. */

import { type Backend, directoryVolumes, remoteBackend } from '@dstack/backends';
import { buildJobSpecs, type EngineSettings, nextFire, type RunContext } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Random } from '@dstack/testkit/random';
import { pino } from 'pino';
import { timesOf } from '../../assembly/decision-context.ts';
import { fleetHostReader } from '../../capacity/fleet-hosts.ts';
import { ClockWatch } from '../../clock/clock-watch.ts';
import { OutageWatch } from '../../clock/outage-watch.ts';
import { servedTime } from '../../clock/served-time.ts';
import { effects } from '../../effects/carry-out.ts';
import { Drain } from '../../effects/drain.ts';
import { effectIsOurs } from '../../effects/effect-owner.ts';
import { JobStarter } from '../../effects/start-job.ts';
import type { GatewayLinks } from '../../gateways/gateway-links.ts';
import { directoryAgents } from '../../hosts/directory-agents.ts';
import { HealthIntake } from '../../hosts/health-intake.ts';
import { Hosts } from '../../hosts/hosts.ts';
import { LinkSupervisor } from '../../hosts/supervisor/supervisor.ts';
import type { LogStore } from '../../logs/log-store.ts';
import { TableLogStore } from '../../logs/tables/table-log-store.ts';
import { Engine } from '../../loops/engine.ts';
import { LogQuota } from '../../loops/log-quota.ts';
import { RunChanges } from '../../loops/run-changes.ts';
import { instanceOffers } from '../../offers/instance-offers.ts';
import { offerSource } from '../../offers/offer-source.ts';
import type { ProjectBackends } from '../../offers/project-backends.ts';
import type { LoopObserver } from '../../queues/loop-observer.ts';
import { RetentionRounds } from '../../retention/rounds.ts';
import { retentionSteps } from '../../retention/steps.ts';
import { StrayLogs } from '../../retention/stray-logs.ts';
import type { SweepPolicy } from '../../sweep/sweep-backend.ts';
import { Sweeper } from '../../sweep/sweeper.ts';
import type { GatewayEffects } from './gateway-watch.ts';
import { LeaseWatch, type LeaseWatchParts } from './lease-watch.ts';
import { PortStore } from './port-store.ts';
import { RETENTION, type RetentionWatch } from './retention-watch.ts';
import { scriptedDrain } from './scripted-drain.ts';
import { LOCAL_FREEDOMS, type SimWorld } from './sim-backends.ts';
import type { SimClock } from './sim-clock.ts';
import { scriptedDial, simConnectors } from './sim-connectors.ts';
import { SimFiles } from './sim-files.ts';
import { simGatewayLinks } from './sim-gateway-links.ts';
import type { SimGateways } from './sim-gateways.ts';
import type { SimHostClock } from './sim-host-clock.ts';
import type { SimHost } from './sim-hosts.ts';
import { SimLink } from './sim-link.ts';
import type { SimPeers } from './sim-peers.ts';

/** All servers of a simulation are one installation. */
export const SERVER_ID = 'simulation';

export interface SimServerParts {
  readonly name: string;
  readonly peers: SimPeers;
  /** A lease is free, and this server does not take it. */
  readonly onBreach: LeaseWatchParts['onBreach'];
  readonly settings: EngineSettings;
  /** The one database of all servers. */
  readonly store: Store;
  readonly world: SimWorld;
  readonly clock: SimClock;
  readonly hostClock: SimHostClock;
  /** False: its database is its own (SQLite), so the time is that of its host. */
  readonly hasSharedTime: boolean;
  readonly random: Random;
  readonly backends: ProjectBackends;
  readonly observer: LoopObserver;
  /** Omitted: there are no gateways. */
  readonly gateways?: {
    readonly all: SimGateways;
    /** Receives what the server does for them outside of its database. */
    readonly effects: GatewayEffects;
  };
  /** How it handles orphans; omitted: it looks for none. */
  readonly sweep?: SweepPolicy;
  /** Null: old data stays. */
  readonly retention: RetentionWatch | null;
  /** Seconds for which requests of a scaled-down replica continue. */
  readonly drainSeconds: () => number;
}

const log = pino({ level: process.env.SIM_LOG ?? 'silent' });

export class SimServer {
  readonly name: string;
  readonly #parts: SimServerParts;
  readonly #hostClock: SimHostClock;
  readonly #time: ClockWatch;
  readonly #outages: OutageWatch;
  readonly #leases: LeaseWatch;
  readonly #ports: PortStore;
  readonly #engine: Engine;
  readonly #hosts: Hosts;
  readonly #health: HealthIntake;
  readonly #logs: TableLogStore;
  readonly #links: LinkSupervisor;
  readonly #gateways: GatewayLinks | null;
  readonly #changes = new RunChanges();
  readonly #simLinks: SimLink[] = [];
  readonly #rounds: RetentionRounds | null;
  readonly #startSweeper: () => Sweeper | null;
  #sweeper: Sweeper | null = null;
  readonly #files: SimFiles;
  readonly offers: ReturnType<typeof offerSource>;

  constructor(parts: SimServerParts) {
    this.name = parts.name;
    this.#parts = parts;
    const { clock, random } = parts;
    const faults = parts.world.parts.databaseFaults;
    this.#hostClock = parts.hostClock;
    this.#files = new SimFiles(parts.hostClock.monotonic);
    this.#ports = new PortStore(parts.store, {
      ...{ clock, random, faults, peers: parts.peers.join(), owner: this },
      measured: () => this.#hostClock.clock.measured(),
    });
    this.#leases = new LeaseWatch({ clock, store: parts.store, onBreach: parts.onBreach });
    const store = this.#leases.watched(this.#ports.store);
    const { clock: serverClock, monotonic } = this.#hostClock;
    const now = () => serverClock.now();
    const database = parts.hasSharedTime ? () => store.engine.time() : null;
    this.#time = new ClockWatch({ clock: serverClock, monotonic, database, log });
    this.#outages = new OutageWatch({
      ...{ clock: serverClock, ...servedTime(store), log },
      ...{ owner: random.uuid(), isShort: () => this.#files.isShort },
    });
    this.#logs = new TableLogStore({
      now,
      quotaPerHour: 0,
      onQuota: () => {},
      onSyncError: (ref, error) => log.warn({ job: ref.jobId, err: error }, 'log not durable yet'),
      tables: store.logs.tables,
      signals: store.logs.signals,
    });
    this.#rounds = parts.retention && this.#retention(store, parts.retention);
    this.#health = new HealthIntake({
      ...{ store, log, now, newId: () => random.uuid(), intervalSeconds: 0 },
      client: (hostId) => this.#hosts.client(hostId),
    });
    this.#hosts = new Hosts({
      ...{ store, log, now, logs: this.#logs },
      onHealth: (hostId, report) => this.#health.take(hostId, report),
      serverId: SERVER_ID,
      owner: random.uuid(),
      isShort: () => this.#files.isShort,
      link: (options) => {
        const host = this.#hostOf(options.hostId);
        const isShort = () => this.#files.isShort;
        const foreign = (own: SimHost) => parts.world.foreignJob(own);
        const link = new SimLink(options, { host, clock, random, isShort, server: this, foreign });
        this.#simLinks.push(link);
        return link;
      },
    });
    const connectors = simConnectors(parts);
    this.#links = new LinkSupervisor({ store, hosts: this.#hosts, connectors, log });
    const backends = this.#backends(store);
    this.#startSweeper = () =>
      parts.sweep
        ? new Sweeper({
            ...{ store, backends, serverId: SERVER_ID, policy: parts.sweep, now, log },
            owner: random.uuid(),
            steadySince: () => this.steadySince,
          })
        : null;
    this.offers = offerSource(backends, log);
    const effect = effects({
      ...{ store, log, backends },
      hosts: this.#hosts,
      links: this.#links,
      serverId: SERVER_ID,
      starter: new JobStarter({
        ...{ store, defaultRegistry: null, pushKeys: () => {}, loopback: false },
        cloneLimits: { bytes: null, seconds: null },
        blobs: { get: async () => null },
        local: { projects: new Set(['first', 'second']), ...LOCAL_FREEDOMS },
      }),
      drain: new Drain({
        store,
        services: scriptedDrain(parts.clock, parts.drainSeconds),
        workers: { leave: () => true },
        now,
      }),
      now,
      newId: () => random.uuid(),
      fleetOffers: instanceOffers(this.offers),
    });
    this.#gateways = parts.gateways ? this.#linkGateways(store, parts.gateways) : null;
    this.#engine = new Engine({
      ...{ store, log, effect, offers: this.offers },
      effectIsOurs: effectIsOurs({ store, hosts: this.#hosts }),
      backends,
      links: this.#links,
      hosts: this.#hosts,
      context: () => this.context(),
      measureTime: () => serverClock.measure(),
      changes: this.#changes,
      quota: new LogQuota(store, log),
      owner: random.uuid(),
      observer: parts.observer,
    });
  }

  start(): Promise<void> {
    return this.#parts.clock.as(this, () => this.#start());
  }

  async #start(): Promise<void> {
    await this.#time.start();
    await this.#outages.start();
    this.#hostClock.clock.onJump(() => this.#engine.timeJumped());
    await this.#engine.start();
    await this.#gateways?.start();
    this.#rounds?.start();
    this.#sweeper = this.#startSweeper();
    await this.#links.start();
    await this.#links.keep({
      ...{ hostId: 'local', dial: scriptedDial, token: '' },
      prepare: async () => {},
    });
  }

  /** Like kill -9: work under way writes nothing and has no further effect. */
  crash(): void {
    this.#ports.cut();
    this.#leases.close();
    this.#time.close();
    void this.#outages.close();
    this.#links.close();
    this.#gateways?.close();
    this.#parts.gateways?.all.left(this);
    // Its round never ends: no call is answered any more.
    void this.#rounds?.close();
    void this.#sweeper?.close();
    void this.#engine.close();
    this.#health.close();
    for (const id of this.#hosts.ids) void this.#hosts.remove(id);
  }

  #linkGateways(
    store: Store,
    { all, effects }: NonNullable<SimServerParts['gateways']>,
  ): GatewayLinks {
    const now = () => this.now;
    const links = simGatewayLinks({ ...{ server: this, store, gateways: all, effects }, now, log });
    this.#changes.listen((runId) => links.runChanged(runId));
    store.engine.onSignal(({ kind, id }) => kind === 'run' && links.runChanged(id));
    return links;
  }

  #retention(store: Store, watch: RetentionWatch): RetentionRounds {
    const { clock, monotonic } = this.#hostClock;
    const logs = watch.logs(this.#logs);
    const strays = new StrayLogs({ retention: store.retention, logs, root: null });
    const blobs = { delete: async () => true };
    const policy = RETENTION;
    return new RetentionRounds({
      ...{ store, log, owner: this.#parts.random.uuid(), events: policy.events, restFactor: 0 },
      ...{ now: () => clock.now(), monotonic },
      steps: retentionSteps({ store, logs, blobs, strays, policy, log }),
    });
  }

  /** The clock of its host is set. */
  stepClock(): void {
    this.#hostClock.step();
  }

  /** Its process is stopped (`SIGSTOP`), or its host sleeps: then its monotonic clock stands still too. */
  suspend(how: 'process' | 'host'): void {
    this.#parts.clock.stop(this);
    if (how === 'host') this.#hostClock.sleep();
  }

  resume(): void {
    this.#hostClock.wake();
    this.#parts.clock.continue(this);
  }

  /** Whether it can open no connection. */
  get isShort(): boolean {
    return this.#files.isShort;
  }

  get isSuspended(): boolean {
    return this.#parts.clock.isStopped(this);
  }

  /** The time as this server has it. */
  get now(): number {
    return this.#hostClock.clock.now();
  }

  get steadySince(): number {
    return this.#hostClock.clock.steadySince;
  }

  /** It is out of descriptors: its links break, and it opens no other ones until it recovers. */
  setShort(isShort: boolean): void {
    this.#files.set(isShort);
    if (isShort) for (const link of this.#simLinks) link.cut();
  }

  get logs(): LogStore {
    return this.#logs;
  }

  get depths() {
    return this.#engine.depths();
  }

  /** Calls to the database under way: their results are not in a queue yet. */
  get calls(): number {
    return this.#ports.calls;
  }

  context(): RunContext {
    const { random } = this.#parts;
    return {
      ...timesOf(this.#hostClock.clock, this.#files),
      newId: () => random.uuid(),
      settings: this.#parts.settings,
      nextFire,
      buildJobs: (run, replicaNum, replicaGroup) => {
        const built = buildJobSpecs(run.spec, { runName: run.name, replicaNum, replicaGroup });
        if (!built.ok) throw new Error(built.message);
        return built.jobSpecs;
      },
    };
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

  /** The server manages SSH hosts and directories over its own links. */
  #backends(store: Store): ProjectBackends {
    const { backends } = this.#parts;
    const volumes = directoryVolumes(directoryAgents({ store, hosts: this.#hosts }));
    const remote = remoteBackend({
      hostOf: fleetHostReader(store),
      removeAgent: (id) => this.#links.removeAgent(id),
      volumes,
    });
    const linked = (backend: Backend): Backend =>
      backend.name === 'local' ? { ...backend, volumes } : backend;
    return {
      ...backends,
      of: async (projectId) => (await backends.of(projectId)).map(linked),
      find: async (projectId, name) => {
        if (name === remote.name) return remote;
        const found = await backends.find(projectId, name);
        return found && linked(found);
      },
    };
  }
}
