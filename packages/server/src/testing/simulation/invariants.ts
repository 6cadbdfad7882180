/** The invariants; each breach names its rule and its subject. */

import type { Backend } from '@dstack/backends';
import {
  isFailing,
  isInstanceActive,
  isInstanceIdle,
  isJobFinished,
  isJobRunning,
  isJobSubmitted,
  isJobTerminating,
  isRunFinished,
  isRunPending,
} from '@dstack/contract/status';
import {
  type Change,
  type Id,
  type InstanceRecord,
  isJobWaiting,
  type JobRecord,
  jobOutcome,
  latestSubmissions,
  matchesFleet,
  nodesOf,
  type PlacementSnapshot,
  place,
  type RunRecord,
  wantsBackendOffers,
} from '@dstack/core';
import type { Store } from '@dstack/store';
import type { LogStore, LogStreamRef } from '../../logs/log-store.ts';
import type { SimWorld } from './sim-backends.ts';
import { ENGINE_SETTINGS, type SimServer } from './sim-server.ts';

const SECOND = 1_000_000;

/** The longest time in a passing status that nothing ends: the longest deadline, and the sweep. */
const LONGEST_PASSING = (2 * 3600 + 300) * SECOND;

/**
 * The sweep finds what signals and alarms have missed within a minute; later than that is a fault.
 */
const OVERDUE = 75 * SECOND;

export class Breach extends Error {
  override name = 'Breach';

  constructor(rule: number, text: string) {
    super(`invariant ${rule}: ${text}`);
  }
}

/** Follows every write of a job, in the order of the commits. */
export class Watch {
  readonly #jobs = new Map<Id, JobRecord>();
  /** Instances that fail their health checks. */
  readonly #failing = new Set<Id>();
  #submissions = 0;

  get submissions(): number {
    return this.#submissions;
  }

  inserted(jobs: readonly JobRecord[]): void {
    for (const job of jobs) this.#insert(job);
  }

  /**
   * Called before they are written, because decisions are judged by the facts that they were based
   * on.
   */
  applying(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type === 'run.update') this.#checkRunEnd(change, changes);
    }
  }

  applied(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type === 'job.insert') this.#insert(change.job);
      else if (change.type === 'job.delete') this.#jobs.delete(change.id);
      else if (change.type === 'job.update') {
        this.#checkPlace(change);
        const job = this.#jobs.get(change.id);
        if (job) this.#jobs.set(job.id, { ...job, ...change.set });
      } else if (change.type === 'instance.update' && change.set.health !== undefined) {
        if (isFailing(change.set.health)) this.#failing.add(change.id);
        else this.#failing.delete(change.id);
      }
    }
  }

  #insert(job: JobRecord): void {
    this.#submissions += 1;
    this.#checkDelay(job);
    this.#jobs.set(job.id, job);
  }

  #of(runId: Id): JobRecord[] {
    return [...this.#jobs.values()].filter((job) => job.runId === runId);
  }

  /**
   * 3: a submission that failed under the same spec is followed by another after a growing delay.
   */
  #checkDelay(job: JobRecord): void {
    const earlier = this.#of(job.runId)
      .filter((one) => one.replicaNum === job.replicaNum && one.jobNum === job.jobNum)
      .sort((a, b) => b.submissionNum - a.submissionNum);
    const [last] = earlier;
    if (!last || jobOutcome(last) !== 'failed' || last.deploymentNum !== job.deploymentNum) return;
    if (last.spec.job_num !== 0 || last.finishedAt === null || job.attempt === 0) return;
    const gap = job.submittedAt - last.finishedAt;
    const least = 0.8 * Math.min(2 ** (job.attempt - 1), 300) * SECOND;
    if (gap < least) {
      throw new Breach(3, `${job.name} came back ${gap / SECOND} s after failure ${job.attempt}`);
    }
    if (job.attempt > 1 && job.attempt !== last.attempt + 1) {
      throw new Breach(3, `${job.name} counts attempt ${job.attempt} after ${last.attempt}`);
    }
  }

  /** 7: no job is placed on an instance that fails its health checks. */
  #checkPlace({ id, set }: Extract<Change, { type: 'job.update' }>): void {
    if (set.instanceId && this.#failing.has(set.instanceId)) {
      throw new Breach(7, `${this.#jobs.get(id)?.name} was placed on an unhealthy instance`);
    }
  }

  /** 4: beside a serving replica, no failure ends the run. */
  #checkRunEnd(
    { id, set }: Extract<Change, { type: 'run.update' }>,
    changes: readonly Change[],
  ): void {
    const { terminationReason: reason } = set;
    if (reason !== 'job_failed' && reason !== 'retry_limit_exceeded') return;
    const after = new Map<Id, Partial<JobRecord>>();
    for (const change of changes)
      if (change.type === 'job.update') after.set(change.id, change.set);
    const serving = latestSubmissions(this.#of(id)).filter(
      (job) => isJobRunning(job.status) && job.ready && job.jobNum === 0,
    );
    for (const job of serving) {
      const end = after.get(job.id)?.terminationReason ?? null;
      if (end === null || end === 'terminated_by_server') {
        throw new Breach(4, `run ${id} ended as ${reason} while ${job.name} served`);
      }
    }
  }
}

export interface Scene {
  readonly store: Store;
  readonly world: SimWorld;
  readonly servers: readonly SimServer[];
  readonly projects: readonly { readonly id: Id; readonly name: string }[];
  readonly now: () => number;
  readonly newId: () => Id;
}

/** No server has work, or a retry soon. */
export function isQuiet({ servers }: Scene): boolean {
  return servers.every(
    (server) =>
      server.calls === 0 &&
      Object.entries(server.depths).every(
        ([kind, { waiting, running, delayed }]) =>
          waiting + running === 0 && (kind === 'intent' || delayed === 0),
      ),
  );
}

/** The invariants that hold whenever no server has work. */
export async function checkQuiet(scene: Scene): Promise<void> {
  const runs = await activeRuns(scene);
  for (const run of runs) await checkWaits(scene, run);
  for (const project of scene.projects) await checkCapacity(scene, project.id);
  await checkFleets(scene);
}

async function activeRuns({ store }: Scene): Promise<RunRecord[]> {
  const views = await store.runs.list({ onlyActive: true, projectIds: null });
  return views.map((view) => view.run).filter((run) => !isRunFinished(run.status));
}

/** 1: each wait has a pass that is due, or a signal that will come. */
async function checkWaits({ store, now }: Scene, run: RunRecord): Promise<void> {
  const at = now();
  if (run.nextPassAt !== null && run.nextPassAt < at - OVERDUE) {
    throw new Breach(1, `run ${run.name} (${run.status}) is overdue`);
  }
  const jobs = latestSubmissions(await store.jobs.ofRun(run.id));
  const bounded = run.nextPassAt !== null;
  const wanted = Object.values(run.desiredReplicas).some((count) => count > 0);
  if (isRunPending(run.status) && !bounded && wanted) {
    throw new Breach(1, `run ${run.name} is pending without an end`);
  }
  for (const job of jobs) {
    if (isJobFinished(job.status)) continue;
    const what = `${job.name}#${job.submissionNum} (${job.status})`;
    if (isJobSubmitted(job.status) && job.instanceId === null) {
      if (!isJobWaiting(job))
        throw new Breach(1, `${what} was neither placed nor marked as waiting`);
      continue;
    }
    const inReach = await isConnected(store, job);
    const endless =
      isJobRunning(job.status) || (isJobTerminating(job.status) && job.spec.stop_duration === null);
    if (!bounded && !(endless && inReach)) throw new Breach(1, `${what} waits without an end`);
    if (!endless && at - job.statusChangedAt > LONGEST_PASSING) {
      throw new Breach(1, `${what} has lasted for ${(at - job.statusChangedAt) / SECOND} s`);
    }
  }
}

/** In the view of the servers: a link that breaks is reported by itself. */
async function isConnected(store: Store, job: JobRecord): Promise<boolean> {
  if (job.instanceId === null) return false;
  const hostId = (await store.instances.byId(job.instanceId))?.instance.hostId ?? null;
  return hostId !== null && ((await store.hosts.byId(hostId))?.connected ?? false);
}

/**
 * 2: no waiting job would find a place in one more pass, neither on existing capacity nor on offers
 * of the cloud, for which runs ahead may hold capacity.
 */
async function checkCapacity(scene: Scene, projectId: Id): Promise<void> {
  const hints = { hasPolledBackends: false, offersOnly: new Set<never>() };
  const snapshot = await scene.store.engine.loadPlacement(projectId, hints);
  if (!snapshot) return;
  const { local, cloud, pods } = scene.world;
  const [first, second, third] = scene.projects.map(({ id }) => id);
  const certain = projectId === first || projectId === second ? [local] : [];
  const clouds = projectId === first ? [cloud] : projectId === third ? [cloud, pods] : [];
  const possible = [...certain, ...clouds];
  const withCloud = await placedJobs(scene, snapshot, possible);
  const placed = (await placedJobs(scene, snapshot, certain)).filter((id) =>
    withCloud.includes(id),
  );
  if (placed.length > 0) {
    const waiting = snapshot.gangs
      .flatMap(({ jobs }) => jobs)
      .filter(({ id }) => placed.includes(id));
    const names = waiting.map((job) => `${job.name} (${JSON.stringify(job.refusal)})`);
    throw new Breach(2, `room was left for ${names.join(', ')}`);
  }
}

/** Jobs to which a pass would give a place on the offers of these backends. */
async function placedJobs(
  scene: Scene,
  snapshot: PlacementSnapshot,
  backends: readonly Backend[],
): Promise<Id[]> {
  const answers = await Promise.all(
    wantsBackendOffers(snapshot).map(async ({ key, requirements, backends: names }) => {
      const asked = backends.filter(({ name }) => names === null || names.includes(name));
      const offers = await Promise.all(asked.map((one) => one.offers(requirements)));
      return [key, offers.flatMap((answer) => answer.offers)] as const;
    }),
  );
  const ctx = { now: scene.now(), newId: scene.newId, settings: ENGINE_SETTINGS };
  return place(snapshot, new Map(answers), ctx).changes.flatMap((change) =>
    change.type === 'job.update' && change.set.instanceId ? [change.id] : [],
  );
}

/** 6 and 8: fleets keep no instances that they do not want, and blocks and slots add up. */
async function checkFleets({ store, projects }: Scene): Promise<void> {
  let local = 0;
  const projectIds = projects.map((project) => project.id);
  for (const { fleet, instances } of await store.fleets.list({ projectIds, onlyActive: true })) {
    const active = instances.filter((one) => isInstanceActive(one.status));
    const max = nodesOf(fleet)?.max ?? null;
    const idle = active.filter((one) => isInstanceIdle(one.status) && one.busyBlocks === 0);
    const unfit = idle.find((one) => !matchesFleet(one, fleet));
    if (unfit) throw new Breach(6, `${unfit.name} is idle and not what its fleet wants`);
    if (max !== null && active.length > max && idle.length > 0) {
      throw new Breach(
        6,
        `${idle[0]?.name} is idle in a fleet of ${active.length}, at most ${max}`,
      );
    }
    for (const instance of active) await checkBlocks(store, instance);
    local += active.filter((one) => one.backend === 'local').length;
  }
  if (local > ENGINE_SETTINGS.localMaxInstances) {
    throw new Breach(8, `${local} instances share the slots of the server's machine`);
  }
}

export async function checkBlocks(store: Store, { id }: Pick<InstanceRecord, 'id'>): Promise<void> {
  const snapshot = await store.engine.loadInstance(id);
  if (!snapshot || !isInstanceActive(snapshot.instance.status)) return;
  const { instance, jobs } = snapshot;
  const claimed = jobs.reduce((sum, job) => sum + job.claimedBlocks, 0);
  if (claimed !== instance.busyBlocks || claimed > (instance.totalBlocks ?? Infinity)) {
    const { name, busyBlocks, totalBlocks } = instance;
    throw new Breach(8, `${name}: ${busyBlocks} of ${totalBlocks} blocks busy, ${claimed} claimed`);
  }
}

/** 9: at the end every machine and group has a row, and no agent has a job without a row. */
export async function checkNothingLeft({ store, world }: Scene): Promise<void> {
  for (const { id, order } of world.provider.tables.machines.all()) {
    const view = await store.instances.byId(order.instanceId);
    if (!view || view.instance.deleted) throw new Breach(9, `machine ${id} has no row`);
  }
  for (const { name, key } of world.provider.tables.groups.all()) {
    const [, id = ''] = key.split(':');
    const view = await store.groups.byId(id);
    if (!view || view.group.deleted) throw new Breach(9, `group ${name} has no row`);
  }
  for (const host of world.hosts.values()) {
    if (!host.isReachable) continue;
    for (const { spec } of host.running) {
      const view = await store.jobs.byId(spec.id);
      if (!view || isJobFinished(view.job.status)) {
        throw new Breach(
          9,
          `${spec.job_name} runs on ${host.id} and is ${view?.job.status ?? 'unknown'}`,
        );
      }
    }
  }
}

/** 11: the stored output of a job is what it has printed, and complete once it has ended. */
export async function checkOutput(scene: Scene, logs: LogStore): Promise<void> {
  for (const [jobId, printed] of scene.world.outputs) {
    const view = await scene.store.jobs.byId(jobId);
    if (!view) continue;
    const { job, run, projectName } = view;
    const ref = { project: projectName, run: run.name, jobId };
    const stored = await allOutput(logs, ref);
    const ended = job.terminationReason === 'done_by_runner' || job.exitStatus !== null;
    if (ended ? stored === printed : printed.startsWith(stored)) continue;
    throw new Breach(
      11,
      `${job.name} printed ${printed.length} bytes, ${stored.length} are stored`,
    );
  }
}

async function allOutput(logs: LogStore, ref: LogStreamRef): Promise<string> {
  let output = '';
  for (;;) {
    const piece = await logs.readRaw(ref, output.length, 1_000_000);
    if (piece === null || piece.bytes.length === 0 || piece.offset !== output.length) return output;
    output += Buffer.from(piece.bytes).toString();
  }
}

const CHANGE = /^(Run|Job|Instance) status changed (\w+) -> (\w+)/;

/** 10: events match the rows, without a gap and in order. */
export async function checkEvents({ store }: Scene): Promise<void> {
  const at = new Map<Id, string>();
  let last = 0;
  const page = { limit: 1_000_000, ascending: true } as const;
  for (const event of await store.events.list({ visibleTo: null, page })) {
    if (event.recordedAt <= last) throw new Breach(10, `${event.message} stands out of order`);
    last = event.recordedAt;
    const [, kind, from, to] = CHANGE.exec(event.message) ?? [];
    if (kind === undefined || from === undefined || to === undefined) continue;
    const target = event.targets.find((one) => one.type === kind.toLowerCase());
    if (!target) continue;
    const known = at.get(target.id);
    if (known !== undefined && known !== from) {
      throw new Breach(10, `${target.name} was ${known}, and then: ${event.message}`);
    }
    at.set(target.id, to);
  }
  for (const run of (await store.runs.list({ projectIds: null })).map((view) => view.run)) {
    const told = at.get(run.id);
    if (told !== undefined && told !== run.status.toUpperCase()) {
      throw new Breach(10, `run ${run.name} is ${run.status}, its last event has ${told}`);
    }
  }
}
