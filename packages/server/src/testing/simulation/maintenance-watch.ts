/** Fleets in their windows of maintenance. */
import { isInstanceActive, isJobRunning } from '@dstack/contract/status';
import type { FleetRecord, Id, InstanceRecord } from '@dstack/core';
import { Breach } from './breach.ts';
import type { Scene } from './scene.ts';

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;

/** Between two looks: a window is seen even if no moment without work is in it. */
const PERIOD = 20 * SECOND;
/** The notice that a job gets where its fleet is already in maintenance. */
const NOTICE = MINUTE;
/** The longest time for which a job on a reachable host outlives its notice: its pass may be repeated, and the sweep be needed. */
const LEAVES_LATE = 90 * SECOND;

type Maintenance = NonNullable<FleetRecord['spec']['configuration']['maintenance']>;

/**
 * 27: in a window of maintenance no job is left on a reachable host of the fleet. Windows are computed here from the
 * configuration: those that a server has recorded may lack the one that it has missed.
 */
export class MaintenanceWatch {
  /** By fleet: its configuration, and when it was first seen (µs). */
  readonly #seen = new Map<Id, { readonly text: string; readonly at: number }>();
  #nextLook = 0;
  /** When it was last seen that no server worked. */
  #unservedAt = 0;
  #looks = 0;

  /** How often a fleet was empty because it had to be. */
  get looks(): number {
    return this.#looks;
  }

  /** Asked as time passes, whose clock may have been set back. */
  isDue(now: number): boolean {
    return now >= this.#nextLook || now < this.#nextLook - PERIOD;
  }

  async check(scene: Scene): Promise<void> {
    const now = scene.now();
    this.#nextLook = now + PERIOD;
    if (!scene.servers.some((one) => !one.isSuspended && !one.isShort)) this.#unservedAt = now;
    const projectIds = scene.projects.map(({ id }) => id);
    for (const { fleet, instances } of await scene.store.fleets.list({
      projectIds,
      onlyActive: true,
    })) {
      const { maintenance } = fleet.spec.configuration;
      const configuredAt = this.#configuredAt(fleet.id, JSON.stringify(maintenance ?? null), now);
      const startsAt = maintenance ? windowStart(maintenance, now) : null;
      if (startsAt === null) continue;
      const served = Math.max(scene.steadySince(), this.#unservedAt);
      const from = Math.max(startsAt, configuredAt + NOTICE, served);
      if (now < from + LEAVES_LATE) continue;
      this.#looks += 1;
      for (const one of instances) await this.#mustBeLeft(scene, fleet, one);
    }
  }

  #configuredAt(id: Id, text: string, now: number): number {
    const seen = this.#seen.get(id);
    if (seen?.text === text) return seen.at;
    this.#seen.set(id, { text, at: now });
    return now;
  }

  async #mustBeLeft(
    { store, now }: Scene,
    { name }: FleetRecord,
    { id, status, hostId }: InstanceRecord,
  ): Promise<void> {
    if (!isInstanceActive(status) || hostId === null) return;
    const host = await store.hosts.byId(hostId);
    if (!host?.connected || now() < host.since + LEAVES_LATE) return;
    const jobs = (await store.engine.loadInstance(id))?.jobs ?? [];
    const [left] = jobs.filter((job) => isJobRunning(job.status));
    if (left) throw new Breach(27, `${left.name} runs on fleet ${name} in its maintenance`);
  }
}

/**
 * When the window that is on has begun (µs); null = none is on. Users of the simulation write schedules as
 * `<first>-59/<every> * * * *`, with windows that end before the next one begins.
 */
export function windowStart({ schedule, duration }: Maintenance, now: number): number | null {
  const [, first = '0', every = '60'] = /^(\d+)-59\/(\d+) /.exec(schedule.join()) ?? [];
  const begins = (minute: number) =>
    minute % 60 >= Number(first) && ((minute % 60) - Number(first)) % Number(every) === 0;
  const earliest = now - duration * SECOND;
  for (let minute = Math.floor(now / MINUTE); minute * MINUTE > earliest; minute--)
    if (begins(minute)) return minute * MINUTE;
  return null;
}
