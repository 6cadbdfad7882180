/**
 * Servers, hosts, a cloud and users in one process, under one clock and one seed: all parts of the
 * server that decide, store and carry out are real, and everything outside follows a script. The
 * same seed gives the same story, to the last microsecond.
 */

import { NO_FAULTS } from '@dstack/backends/sim';
import { isRunFinished } from '@dstack/contract/status';
import type { EngineSettings } from '@dstack/core';
import { openMemoryStore, type ProjectRecord, type Store } from '@dstack/store';
import { Random } from '@dstack/testkit/random';
import { pino } from 'pino';
import type { ProjectBackends } from '../../offers/project-backends.ts';
import { Breach } from './breach.ts';
import { doFault, FAULTS, HARMLESS } from './faults.ts';
import { checkEvents, checkNothingLeft, checkOutput, checkServices } from './final-checks.ts';
import { GatewayTraffic } from './gateway-traffic.ts';
import { endBehindHeldRuns } from './held-runs.ts';
import { checkQuiet, isQuiet } from './invariants.ts';
import { MaintenanceWatch } from './maintenance-watch.ts';
import { NO_DATABASE_FAULTS, PortStore } from './port-store.ts';
import type { QueueWatches } from './queue-watches.ts';
import { checkAllDeleted, RetentionWatch } from './retention-watch.ts';
import type { Scene } from './scene.ts';
import { SimWorld } from './sim-backends.ts';
import { SimClock } from './sim-clock.ts';
import { SimGateways } from './sim-gateways.ts';
import { backendsOf, makeProjects } from './sim-projects.ts';
import { SimServers } from './sim-servers.ts';
import { faultsOfStory, settingsOfStory } from './sim-settings.ts';
import { SimUsers } from './sim-users.ts';
import { SimWatches } from './sim-watches.ts';
import type { SimulationOptions, SimulationResult } from './simulation-options.ts';
import { notMadeYet } from './unmade.ts';
import { checkNoVolumesLeft, checkVolumes, checkVolumesAtRest } from './volume-checks.ts';

const SECOND = 1_000_000;

/** Throws `Breach`, or an error of a part of the server. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const simulation = new Simulation(options);
  try {
    await simulation.begin();
    for (let i = 0; i < options.steps; i++) await simulation.step();
    await simulation.calmDown();
    await simulation.end();
    return simulation.result;
  } catch (error) {
    await simulation.reportBreach();
    throw error;
  } finally {
    await simulation.close();
  }
}

/** Requests that change who may use what. */
const DISTURBING = /quota|care|share|Fleet|Hosts|Instance|Volume/;

/** How long users and faults leave the servers alone, by how often. */
const PAUSES = { none: 3, short: 4, long: 2, veryLong: 0.3 };
const CROWD_PAUSES = { none: 1, short: 2, long: 5, veryLong: 0.1 };

class Simulation {
  readonly #options: SimulationOptions;
  readonly #clock = new SimClock();
  readonly #random: Random;
  readonly #watches: SimWatches;
  readonly #gateways: SimGateways;
  #traffic: GatewayTraffic | null = null;
  readonly #world: SimWorld;
  readonly #failures: unknown[] = [];
  readonly #settings: EngineSettings;
  #store: Store | null = null;
  #retention: RetentionWatch | null = null;
  #users: SimUsers | null = null;
  readonly #servers: SimServers;
  #projects: readonly ProjectRecord[] = [];
  readonly #backends: ProjectBackends;
  readonly #maintenance = new MaintenanceWatch();
  /** Fleets may have windows of maintenance now. */
  #isWindowed = false;
  #timers = 0;
  #checks = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#gateways = new SimGateways({
      ...{ clock: this.#clock, newId: () => this.#random.uuid(), now: () => this.#servers.now },
    });
    this.#watches = new SimWatches({
      ...{ clock: this.#clock, hasOwnClock: options.hasOwnClock === true },
      servers: () => this.#servers,
      ...{ hosts: () => this.#world.hosts, gateways: this.#gateways },
      onFailure: (error) => this.#onFailure(error),
    });
    this.#settings = settingsOfStory(this.#random);
    this.#world = new SimWorld({
      ...{ clock: this.#clock, random: this.#random, watch: this.#watches.volumes },
      ...faultsOfStory(options.neverReady),
    });
    this.#backends = backendsOf(this.#world, () => this.#projects);
    this.#servers = new SimServers({
      ...{ clock: this.#clock, random: this.#random, world: this.#world, settings: this.#settings },
      ...{ backends: this.#backends, hasOwnClock: options.hasOwnClock === true },
      gateways: { all: this.#gateways, effects: this.#watches.gateways },
      onFailure: this.#onFailure,
    });
    this.#clock.install(() => this.#random.next());
    process.on('unhandledRejection', this.#onFailure);
  }

  get result(): SimulationResult {
    return {
      steps: this.#options.steps,
      timers: this.#timers,
      submissions: this.#watches.jobs.submissions,
      checks: this.#checks,
      seconds: (this.#clock.now - this.#clock.start) / SECOND,
      queue: this.queue.counts,
      arrays: this.#watches.arrays.counts,
      dependentStarts: this.#watches.dependencies.checks,
      ...{ lies: this.#watches.gateways.lies, emptied: this.#maintenance.looks },
    };
  }

  get store(): Store {
    if (!this.#store) throw new Error('the simulation has not begun');
    return this.#store;
  }

  get queue(): QueueWatches {
    return this.#watches.queue;
  }

  get users(): SimUsers {
    if (!this.#users) throw new Error('the simulation has not begun');
    return this.#users;
  }

  async begin(): Promise<void> {
    const now = () => this.#servers.now;
    const newId = () => this.#random.uuid();
    const plain = { encrypt: (text: string) => text, decrypt: (text: string) => text };
    const logger = pino({ level: 'silent' });
    const { openStore = openMemoryStore } = this.#options;
    const store = await openStore({ now, newId, logger, cipher: plain });
    const retention = new RetentionWatch({ store, now, onBreach: this.#onFailure });
    this.#retention = this.#options.retention ? retention : null;
    this.#store = this.#watches.watched(store, this.#settings, retention);
    // Not an upgraded installation, which would wait for a week.
    await store.meta.set('retention', JSON.stringify({ at: now(), deletesFrom: now() }));
    const { store: watched } = this;
    const settings = this.#settings;
    const made = await makeProjects({
      ...{ store: watched, now, newId, backends: this.#backends, settings },
    });
    this.#projects = made.projects;
    await this.#gateways.make(store, made.projects.slice(0, 2));
    this.#traffic = new GatewayTraffic({
      ...{ ...made, random: this.#random, gateways: this.#gateways, now },
      ...{ runs: this.#watches.runs, jobs: this.#watches.jobs, watch: this.#watches.gateways },
    });
    await store.pools.shareServerHost({
      ...{ hostId: 'local', projects: new Set(['first', 'second']) },
    });
    // Requests of users take time too, so that passes and other requests happen meanwhile.
    const parts = { clock: this.#clock, random: this.#random, faults: NO_DATABASE_FAULTS };
    const port = new PortStore(watched, parts).store;
    const deps = { ...made.deps, store: port };
    this.#users = new SimUsers({
      ...{ ...made, deps, now, store: port, random: this.#random },
      ...{ isCrowd: this.#options.isCrowd === true, arrays: this.#options.arrays ?? 1 },
      hasWindows: this.#options.hasWindows === true,
      gatewayOf: (projectId) => this.#gateways.of(projectId)?.name ?? null,
    });
    await this.#finished(this.#users.begin());
    this.#servers.begin({ store: watched, retention: this.#retention });
    this.#isWindowed = this.#options.hasWindows === true;
    await this.#run(30);
  }

  /** One event from outside, then a random time for the servers. */
  async step(): Promise<void> {
    const request = this.users.act();
    const isDoneBefore = this.#random.chance(0.5);
    if (isDoneBefore) await this.#finished(request);
    const fault = this.#random.weighted({ ...FAULTS, ...this.#options.faults });
    if (fault === 'crash') await this.#servers.crash((seconds) => this.#run(seconds));
    else if (fault === 'outage') {
      // Objects that a user saw hours ago may not exist any more.
      await this.#finished(request);
      await this.#servers.outage((seconds) => this.#run(seconds));
    } else if (fault === 'restarts') {
      await this.#finished(request);
      await this.#servers.restarts((seconds) => this.#run(seconds));
      this.#watches.silence.checkGivenUp(await notMadeYet(this.#scene()));
    } else if (fault === 'exhaust' || fault === 'refill')
      this.#servers.setShort(fault === 'exhaust');
    else if (fault === 'suspend') this.#servers.suspend();
    else if (fault === 'resume') this.#servers.resume();
    else if (fault === 'gateway') this.#traffic?.act();
    else if (fault === 'holdRuns') await endBehindHeldRuns(this.store, this.#world, this.#random);
    else await doFault(fault, this.#world, this.#random);
    if (this.#random.chance(this.#options.hasOwnClock ? 0.3 : 0.05)) this.#servers.stepClock();
    const done = await this.#finished(request);
    // Windows begin and end by themselves.
    const hasWindows = this.#options.hasWindows === true;
    if (hasWindows || !HARMLESS.has(fault) || DISTURBING.test(done)) this.queue.disturb();
    this.#options.onStep?.(`${this.result.seconds.toFixed(1)} ${done}, ${fault}`);
    const isCrowd = this.#options.isCrowd === true;
    const pause = this.#random.weighted(isCrowd ? CROWD_PAUSES : PAUSES);
    const longest = { none: 0.05, short: 3, long: 60, veryLong: 900 }[pause];
    await this.#run(this.#random.next() * longest);
    await this.#checkIfQuiet(10);
  }

  /** The result of a request, for which time passes. */
  async #finished<T>(request: Promise<T>): Promise<T> {
    let isPending = true;
    const settled = request.finally(() => {
      isPending = false;
    });
    settled.catch(() => {});
    while (isPending) {
      await this.#clock.step(this.#clock.now + SECOND);
      this.#throwFailure();
    }
    return await settled;
  }

  /** No faults happen any more: everything that waits must get what it needs. */
  async calmDown(): Promise<void> {
    const { hostFaults, cloudFaults, databaseFaults } = this.#world.parts;
    Object.assign(hostFaults, { lostAnswer: 0, refusal: 0, crash: 0 });
    Object.assign(databaseFaults, NO_DATABASE_FAULTS);
    Object.assign(cloudFaults, { ...NO_FAULTS, quota: 100, bootSeconds: [1, 60] });
    this.#servers.calmDown();
    for (const host of this.#world.hosts.values()) {
      host.setReachable(true);
      host.setFailing(false);
      host.setHung(false);
      host.volumes.setSharesMounted(true);
    }
    this.#servers.startUnlessOneRuns();
    await this.#finished(this.users.fleets.uncordonAll());
    if (this.#isWindowed) await this.#finished(this.users.fleets.endMaintenance());
    this.#isWindowed = false;
    await this.#finished(this.users.runs.releaseAll());
    this.queue.begin();
    await this.#rest();
    // A service has to recover even from zero replicas, whatever updates preceded.
    for (const host of this.#world.hosts.values()) host.jobs.killForever();
    await this.#rest();
  }

  async #rest(): Promise<void> {
    const minutes = this.#options.isCrowd ? 25 : 60;
    for (let minute = 0; minute < minutes; minute++) {
      await this.#run(60);
      this.#traffic?.finish();
      await this.queue.check(this.#scene());
    }
    await this.#mustBeQuiet();
    await checkServices(this.#scene());
    await checkVolumesAtRest(this.#scene());
  }

  /** Everything is stopped: nothing may be left anywhere. */
  async end(): Promise<void> {
    const { users } = this;
    await this.#finished(users.runs.stopAll());
    await this.#finished(users.quotas.deleteAll());
    await this.#run(1800);
    const scene = this.#scene();
    const left = await scene.store.runs.list({ onlyActive: true, projectIds: null });
    const unfinished = left.filter(({ run }) => !isRunFinished(run.status));
    if (unfinished[0]) {
      const { run, jobs } = unfinished[0];
      const states = jobs.map((job) => `${job.name}#${job.submissionNum}:${job.status}`).join(' ');
      throw new Breach(1, `${run.name} was stopped and is ${run.status} (${states})`);
    }
    this.#watches.arrays.checkEnded();
    this.#traffic?.checkDelivered();
    // Retention deletes what models have used.
    if (!this.#retention) await this.#watches.gateways.checkUsage(this.store, this.#projects);
    await this.#finished(users.volumes.deleteAll());
    await this.#run(600);
    await checkNoVolumesLeft(scene);
    await this.#finished(users.fleets.deleteAll());
    await this.#run(1800);
    await checkNothingLeft(scene);
    const { machines, groups } = this.#world.provider.tables;
    if (machines.size + groups.size > 0) {
      const left = `${machines.size} machines and ${groups.size} groups`;
      throw new Breach(9, `${left} outlived their fleets`);
    }
    // They are found by their times, which go back with the clock.
    if (!this.#options.hasOwnClock) await checkEvents(scene);
    if (this.#retention !== null) {
      await this.#run(3600);
      await checkAllDeleted(scene.store);
    }
    const [server] = this.#servers.all;
    if (server) await checkOutput(scene, server.logs);
    this.#throwFailure();
  }

  async reportBreach(): Promise<void> {
    if (this.#store) await this.#options.onBreach?.(this.#store);
  }

  async close(): Promise<void> {
    this.#servers.close();
    this.#clock.uninstall();
    process.off('unhandledRejection', this.#onFailure);
    await this.#store?.close();
  }

  /** Lets this many seconds pass. */
  async #run(seconds: number): Promise<void> {
    const until = this.#clock.now + Math.round(seconds * SECOND);
    while (await this.#clock.step(until)) {
      this.#timers += 1;
      if (this.#failures.length > 0) this.#throwFailure();
      const looks = this.#isWindowed && this.#maintenance.isDue(this.#servers.now);
      if (looks) await this.#maintenance.check(this.#scene());
    }
    this.#throwFailure();
  }

  /**
   * Waits for a moment without work, and checks the invariants of such moments; there may be none.
   */
  async #checkIfQuiet(seconds: number): Promise<void> {
    const until = this.#clock.now + Math.round(seconds * SECOND);
    while (!isQuiet(this.#scene())) {
      if (!(await this.#clock.step(until))) return;
      this.#timers += 1;
      this.#throwFailure();
    }
    this.#checks += 1;
    await this.queue.check(this.#scene());
    await checkQuiet(this.#scene());
    await checkVolumes(this.#scene());
    this.#watches.dependencies.check();
    await this.#watches.arrays.check(this.store);
  }

  async #mustBeQuiet(): Promise<void> {
    const before = this.#checks;
    await this.#checkIfQuiet(600);
    if (this.#checks === before) throw new Breach(3, 'the servers have never nothing to do');
  }

  #scene(): Scene {
    return {
      store: this.store,
      world: this.#world,
      servers: this.#servers.all,
      projects: this.#projects,
      now: () => this.#servers.now,
      ...{
        steadySince: () => this.#servers.steadySince,
        shortUntil: () => this.#servers.shortUntil,
      },
      newId: () => this.#random.uuid(),
      settings: this.#settings,
    };
  }

  readonly #onFailure = (error: unknown): void => {
    this.#failures.push(error);
  };

  #throwFailure(): void {
    const [failure] = this.#failures;
    if (failure !== undefined) throw failure;
  }
}
