/** The invariants; each breach names its rule and its subject. */
import type { Backend } from '@dstack/backends';
import {
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
  arrayOf,
  type Id,
  type InstanceRecord,
  isJobWaiting,
  type JobRecord,
  latestSubmissions,
  matchesFleet,
  nodesOf,
  type PlacementSnapshot,
  place,
  type RunRecord,
  wantsBackendOffers,
  withBackends,
} from '@dstack/core';
import type { Store } from '@dstack/store';
import { activeRuns } from './active-runs.ts';
import { Breach } from './breach.ts';
import type { Scene } from './scene.ts';

const SECOND = 1_000_000;

/** The longest time in a passing status that nothing ends: the longest deadline, and the sweep. */
const LONGEST_PASSING = (2 * 3600 + 300) * SECOND;

/**
 * The sweep finds what signals and alarms have missed within a minute; later than that is a fault.
 */
const OVERDUE = 75 * SECOND;

/** No server has work, or a retry soon. */
export function isQuiet({ servers }: Scene): boolean {
  return servers.every(
    (server) =>
      // Messages for a suspended server wait until it is continued.
      !server.isSuspended &&
      server.calls === 0 &&
      Object.entries(server.depths).every(
        ([kind, { waiting, running, delayed }]) =>
          waiting + running === 0 && (kind === 'intent' || delayed === 0),
      ),
  );
}

/** The invariants that hold whenever no server has work. */
export async function checkQuiet(scene: Scene): Promise<void> {
  for (const run of await activeRuns(scene.store)) await checkWaits(scene, run);
  await checkCapacity(scene);
  await checkFleets(scene);
}

/** 1: each wait has a pass that is due, or a signal that will come. */
async function checkWaits({ store, now, steadySince }: Scene, run: RunRecord): Promise<void> {
  const at = now();
  const steady = steadySince();
  if (run.nextPassAt !== null && run.nextPassAt < at - OVERDUE && steady < at - OVERDUE) {
    throw new Breach(1, `run ${run.name} (${run.status}) is overdue`);
  }
  const jobs = latestSubmissions(await store.jobs.ofRun(run.id));
  const bounded = run.nextPassAt !== null;
  const wanted = Object.values(run.desiredReplicas).some((count) => count > 0);
  const state = run.dependencyState;
  const waits = run.hold !== null || state === 'open' || state === 'unmet';
  if (state === 'open' && run.hold === null) await checkUpstreams(store, run);
  // What an earlier attempt has left may still be ending when the next one is held with its array.
  const isWork = ({ status }: JobRecord) => !isJobFinished(status) && !isJobTerminating(status);
  const hasWork = !isRunPending(run.status) || jobs.some(isWork);
  // Members of a held array that run go on, and so does it.
  if (waits && hasWork && arrayOf(run.spec) === null) {
    throw new Breach(1, `run ${run.name} (${run.status}) is kept out of the queue and has work`);
  }
  if (isRunPending(run.status) && !bounded && wanted && !waits) {
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
    if (!endless && at - Math.max(job.statusChangedAt, steady) > LONGEST_PASSING) {
      throw new Breach(1, `${what} has lasted for ${(at - job.statusChangedAt) / SECOND} s`);
    }
  }
}

/** A run that waits for others has one that has not ended, and whose end will signal it. */
async function checkUpstreams(store: Store, run: RunRecord): Promise<void> {
  const dependencies = await store.runs.dependencies(run.id);
  const open = dependencies.filter(({ outcome }) => outcome === null);
  const views = await store.runs.viewsByIds(open.map(({ upstreamId }) => upstreamId));
  if (views.some((view) => !isRunFinished(view.run.status))) return;
  throw new Breach(1, `run ${run.name} waits for runs that have ended`);
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
async function checkCapacity(scene: Scene): Promise<void> {
  const pools = await Promise.all(
    scene.projects.map(({ id }) =>
      scene.store.engine.waitingFor({ kind: 'project', projectId: id }),
    ),
  );
  for (const poolId of new Set(pools.flat())) await checkPool(scene, poolId);
}

async function checkPool(scene: Scene, poolId: Id): Promise<void> {
  const withClaims = scene.settings.preemption?.mode === 'priority';
  const loaded = await scene.store.engine.loadPlacement(poolId, 'all', withClaims);
  if (!loaded) return;
  const snapshot = withBackends(loaded, () => null);
  const placed = await surelyPlaced(scene, snapshot, scene.now());
  // The end of a window of maintenance may just have been missed.
  const before =
    placed.length === 0 ? [] : await surelyPlaced(scene, snapshot, scene.now() - OVERDUE);
  if (placed.some((id) => before.includes(id))) {
    const waiting = snapshot.gangs
      .flatMap(({ jobs }) => jobs)
      .filter(({ id }) => placed.includes(id));
    const names = waiting.map((job) => `${job.name} (${JSON.stringify(job.refusal)})`);
    throw new Breach(2, `room was left for ${names.join(', ')}`);
  }
}

async function surelyPlaced(scene: Scene, snapshot: PlacementSnapshot, now: number): Promise<Id[]> {
  const at = { ...scene, now: () => now };
  const withCloud = await placedJobs(at, snapshot, (id) => [
    ...certainBackends(scene, id),
    ...cloudsOf(scene, id),
  ]);
  const placed = await placedJobs(at, snapshot, (id) => certainBackends(scene, id));
  return placed.filter((id) => withCloud.includes(id));
}

/** The server's machine: whether it has room depends on nothing outside. */
function certainBackends({ world, projects }: Scene, projectId: Id): readonly Backend[] {
  const [first, second] = projects.map(({ id }) => id);
  return projectId === first || projectId === second ? [world.local] : [];
}

function cloudsOf({ world, projects }: Scene, projectId: Id): readonly Backend[] {
  const [first, , third] = projects.map(({ id }) => id);
  if (projectId === first) return [world.cloud];
  return projectId === third ? [world.cloud, world.pods] : [];
}

/** Jobs to which a pass would give a place on the offers of these backends. */
async function placedJobs(
  scene: Scene,
  snapshot: PlacementSnapshot,
  backendsOf: (projectId: Id) => readonly Backend[],
): Promise<Id[]> {
  const answers = await Promise.all(
    wantsBackendOffers(snapshot, scene.now()).map(
      async ({ key, projectId, requirements, backends: names }) => {
        const backends = backendsOf(projectId ?? '');
        const asked = backends.filter(({ name }) => names === null || names.includes(name));
        const offers = await Promise.all(asked.map((one) => one.offers(requirements)));
        return [key, offers.flatMap((answer) => answer.offers)] as const;
      },
    ),
  );
  const ctx = { now: scene.now(), newId: scene.newId, settings: scene.settings };
  return place(snapshot, new Map(answers), ctx).changes.flatMap((change) =>
    change.type === 'job.update' && change.set.instanceId ? [change.id] : [],
  );
}

/** 6 and 8: fleets keep no instances that they do not want, and blocks and slots add up. */
async function checkFleets(scene: Scene): Promise<void> {
  const { store, projects, settings } = scene;
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
  if (local > settings.localMaxInstances) {
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
