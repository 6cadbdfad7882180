/** The servers of a simulation over its time: they start, crash, are stopped, run short, and start again. */
import type { EngineSettings } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { Random } from '@dstack/testkit/random';
import type { ProjectBackends } from '../../offers/project-backends.ts';
import { Breach } from './breach.ts';
import { DatabaseBroke } from './port-store.ts';
import type { RetentionWatch } from './retention-watch.ts';
import type { SimWorld } from './sim-backends.ts';
import type { SimClock } from './sim-clock.ts';
import { SimHostClock } from './sim-host-clock.ts';
import { SimPeers } from './sim-peers.ts';
import { SimServer, type SimServerParts } from './sim-server.ts';

const SECOND = 1_000_000;

const MOST_CONFLICTS = 200;

/** Seconds within which a server has started, also if its database breaks meanwhile. */
const STARTED = 15;

export interface SimServersParts {
  readonly clock: SimClock;
  readonly random: Random;
  readonly world: SimWorld;
  readonly backends: ProjectBackends;
  readonly settings: EngineSettings;
  readonly gateways: SimServerParts['gateways'];
  /** See `SimulationOptions`. */
  readonly hasOwnClock: boolean;
  readonly onFailure: (error: unknown) => void;
}

/** The database of all servers. */
export interface SimDatabase {
  readonly store: Store;
  /** Null: old data stays. */
  readonly retention: RetentionWatch | null;
}

export class SimServers {
  readonly #parts: SimServersParts;
  readonly #peers: SimPeers;
  #database: SimDatabase | null = null;
  #all: SimServer[] = [];
  /** µs in which no server could work, and since when none can. */
  #asleep = 0;
  #asleepSince: number | null = null;
  /** The host clock of the only server, kept over restarts; null before it starts or if time is shared. */
  #hostClock: SimHostClock | null = null;
  #steppedAt = Number.NEGATIVE_INFINITY;
  /** When servers started after an outage. */
  #outageEndedAt = Number.NEGATIVE_INFINITY;
  #allShortUntil = Number.NEGATIVE_INFINITY;
  #shortUntil = Number.NEGATIVE_INFINITY;
  /** By kind of work: those since the last pass that ended well. */
  readonly #conflicts = new Map<string, number>();
  #names = 0;
  #drainSeconds = () => (this.#parts.random.chance(0.2) ? this.#parts.random.whole(1, 400) : 0);

  constructor(parts: SimServersParts) {
    this.#parts = parts;
    this.#peers = new SimPeers(parts.clock, parts.random);
  }

  get all(): readonly SimServer[] {
    return this.#all;
  }

  /** The time by which the database is written. */
  get now(): number {
    return this.#hostClock?.clock.now() ?? this.#parts.clock.now;
  }

  /** Since when that time has passed evenly, no server was stopped and continued, and one worked and could open connections. */
  get steadySince(): number {
    const { clock } = this.#parts;
    // A step of a host's clock looks like a suspend, also where time is shared.
    const even = this.#hostClock?.clock.steadySince ?? Math.max(clock.start, this.#steppedAt);
    const seesNothing = this.#areAllShort ? this.now : this.#allShortUntil;
    return Math.max(even, clock.lastContinued, this.#outageEndedAt, seesNothing);
  }

  /** Until when one of them could open no connection, and what the others waited for was noticed later by it. */
  get shortUntil(): number {
    return this.#all.some(({ isShort }) => isShort) ? this.now : this.#shortUntil;
  }

  get #areAllShort(): boolean {
    return this.#all.length > 0 && this.#all.every(({ isShort }) => isShort);
  }

  /** Before some of them recover, or end. */
  #noteShort(): void {
    if (this.#areAllShort) this.#allShortUntil = this.now;
    if (this.#all.some(({ isShort }) => isShort)) this.#shortUntil = this.now;
  }

  /** When the clock of a host was last set. */
  get steppedAt(): number {
    return this.#steppedAt;
  }

  /** µs in which a server could work. */
  get awake(): number {
    const { now } = this.#parts.clock;
    const sleeping = this.#asleepSince === null ? 0 : now - this.#asleepSince;
    return now - this.#asleep - sleeping;
  }

  /** The first ones: two, or one whose database is its own. */
  begin(database: SimDatabase): void {
    this.#database = database;
    this.#start();
    if (!this.#parts.hasOwnClock) this.#start();
  }

  setShort(isShort: boolean): void {
    this.#noteShort();
    this.#parts.random.pick(this.#all)?.setShort(isShort);
  }

  suspend(): void {
    const { random } = this.#parts;
    random.pick(this.#all)?.suspend(random.chance(0.5) ? 'process' : 'host');
    this.#noteSleep();
  }

  resume(): void {
    for (const server of this.#all) server.resume();
    this.#noteSleep();
  }

  stepClock(): void {
    this.#steppedAt = this.#parts.clock.now;
    this.#parts.random.pick(this.#all)?.stepClock();
  }

  /** One ends in the middle of its work, and another starts in its place, at once or after `pause`. */
  async crash(pause: (seconds: number) => Promise<void>): Promise<void> {
    const { random } = this.#parts;
    const victim = random.pick(this.#all);
    this.#noteShort();
    // Nothing of it goes on, and a new process starts on its host.
    victim?.crash();
    victim?.resume();
    this.#all = this.#all.filter((server) => server !== victim);
    if (random.chance(0.5)) await pause(random.next() * 30);
    this.#start();
    this.#noteSleep();
  }

  /** All end, and after hours as many start again. */
  async outage(pause: (seconds: number) => Promise<void>): Promise<void> {
    const { random } = this.#parts;
    const count = await this.#endAll(() => pause(600 + random.next() * 6 * 3600));
    for (let n = 1; n < count; n++) {
      await pause(random.next() * 60);
      this.#start();
    }
    // Until they have read what is unfinished, they look as if they had nothing to do.
    await pause(STARTED);
  }

  /** All end, and for two hours one works for two minutes and is away for as long. */
  async restarts(pause: (seconds: number) => Promise<void>): Promise<void> {
    const count = this.#all.length;
    for (let n = 0; n < 30; n++) {
      await this.#endAll(() => pause(120));
      await pause(120);
    }
    for (let n = 1; n < count; n++) this.#start();
    await pause(STARTED);
  }

  /** All crash, and one starts after the pause. Returns how many there were. */
  async #endAll(pause: () => Promise<void>): Promise<number> {
    const count = this.#all.length;
    this.#noteShort();
    for (const server of this.#all) {
      server.crash();
      server.resume();
    }
    this.#all = [];
    this.#noteSleep();
    await pause();
    this.#start();
    this.#outageEndedAt = this.now;
    this.#noteSleep();
    return count;
  }

  /** All work again, and one is there in any case. */
  calmDown(): void {
    this.#drainSeconds = () => 0;
    this.resume();
    this.#noteShort();
    for (const server of this.#all) server.setShort(false);
  }

  startUnlessOneRuns(): void {
    if (this.#all.length === 0) this.#start();
  }

  close(): void {
    for (const server of this.#all) server.crash();
  }

  #noteSleep(): void {
    const { now } = this.#parts.clock;
    const isAwake = this.#all.some((server) => !server.isSuspended);
    if (!isAwake) this.#asleepSince ??= now;
    else if (this.#asleepSince !== null) {
      this.#asleep += now - this.#asleepSince;
      this.#asleepSince = null;
    }
  }

  #newHostClock(): SimHostClock {
    const { clock, random, hasOwnClock } = this.#parts;
    if (!hasOwnClock) return new SimHostClock(clock, random);
    const offsets = { none: 2, second: 1, hour: 3, day: 1 };
    this.#hostClock = new SimHostClock(clock, random, offsets);
    return this.#hostClock;
  }

  #start(): void {
    if (!this.#database) return;
    const { clock, random, world, settings, backends, hasOwnClock, onFailure } = this.#parts;
    const { gateways } = this.#parts;
    const hostClock = this.#hostClock ?? this.#newHostClock();
    const server = new SimServer({
      ...{ hostClock, hasSharedTime: !hasOwnClock, ...(gateways && { gateways }) },
      peers: this.#peers,
      onBreach: onFailure,
      name: `server-${++this.#names}`,
      ...{ ...this.#database, world, clock, random, settings, backends },
      drainSeconds: () => this.#drainSeconds(),
      observer: {
        applied: () => {},
        passEnded: (kind, ending) => this.#countConflicts(kind, ending),
      },
    });
    this.#all.push(server);
    void server.start().catch((error: unknown) => {
      if (error instanceof DatabaseBroke) return this.#restart(server);
      onFailure(error);
    });
  }

  /** A server that cannot start ends, and whatever has started it does so again. */
  #restart(server: SimServer): void {
    if (!this.#all.includes(server)) return;
    this.#noteShort();
    server.crash();
    this.#all = this.#all.filter((one) => one !== server);
    this.#parts.clock.after(SECOND, () => this.#start());
  }

  /** 3: passes that are repeated at once, because their rows have changed, come to an end. */
  #countConflicts(kind: string, ending: string): void {
    const conflicts = ending === 'conflict' ? (this.#conflicts.get(kind) ?? 0) + 1 : 0;
    this.#conflicts.set(kind, conflicts);
    if (conflicts <= MOST_CONFLICTS) return;
    this.#parts.onFailure(new Breach(3, `a pass (${kind}) is repeated without an end`));
  }
}
