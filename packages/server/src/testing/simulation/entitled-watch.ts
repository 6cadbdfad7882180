/** Gangs that wait within the guarantee of their project while others borrow what they need. */
import { isInstanceBusy } from '@dstack/contract/status';
import {
  type Amounts,
  type ChargeRecord,
  type ClaimState,
  chargedUser,
  type Gang,
  type Id,
  minus,
  type PlacementSnapshot,
  place,
  plus,
  termsAmounts,
  withBackends,
} from '@dstack/core';
import { Breach } from './breach.ts';
import type { Scene } from './scene.ts';

const SECOND = 1_000_000;

/** Stops, kills and passes beside the times of the settings (µs). */
const SLACK = 150 * SECOND;

interface Waiting {
  /** The entitled gangs of the pool: each of them may have to wait for those before it. */
  readonly gangs: string;
  readonly since: number;
}

/**
 * 19: no gang that fits below the guarantee of its project waits longer than the shortest run time, the grace and the
 * stops of others, while gangs that borrow could make room. Only gangs of projects without any guarantee count as such
 * here, and no services: their last replica stays.
 */
export class EntitledWatch {
  readonly #waiting = new Map<Id, Waiting>();
  #found = 0;

  /** How often a gang was found waiting. */
  get found(): number {
    return this.#found;
  }

  /** Something has changed that excuses a longer wait: the time begins anew. */
  reset(): void {
    this.#waiting.clear();
  }

  async check(scene: Scene): Promise<void> {
    if (!areHostsWell(scene)) return this.reset();
    const { mode, minRuntime = 0, grace = 0 } = scene.settings.preemption ?? {};
    if (mode === 'off') return;
    const pools = await Promise.all(
      scene.projects.map(({ id }) =>
        scene.store.engine.waitingFor({ kind: 'project', projectId: id }),
      ),
    );
    for (const poolId of new Set(pools.flat())) {
      const gangs = await this.#entitledIn(scene, poolId);
      const known = this.#waiting.get(poolId);
      if (gangs.length === 0) this.#waiting.delete(poolId);
      else if (known?.gangs !== gangs.join(' ')) {
        this.#found += 1;
        this.#waiting.set(poolId, { gangs: gangs.join(' '), since: scene.now() });
      } else if (scene.now() - known.since > (minRuntime + grace) * SECOND + SLACK) {
        const waited = Math.round((scene.now() - known.since) / SECOND);
        throw new Breach(19, `${gangs.join(', ')} wait for ${waited} s within their guarantee`);
      }
    }
  }

  async #entitledIn(scene: Scene, poolId: Id): Promise<string[]> {
    const loaded = await scene.store.engine.loadPlacement(poolId, 'all', true);
    if (!loaded) return [];
    const snapshot = withBackends(loaded, () => null);
    return snapshot.gangs
      .filter((gang) => gang.jobs[0]?.waitingSince && isOwed(scene, snapshot, gang))
      .map(({ jobs }) => jobs[0]?.name ?? '')
      .sort();
  }
}

const areHostsWell = ({ world }: Scene): boolean =>
  [...world.hosts.values()].every((host) => host.isReachable && !host.isHung);

/** Whether it would be placed if all left whom it can ask, and would then be within the guarantee. */
function isOwed(scene: Scene, snapshot: PlacementSnapshot, gang: Gang): boolean {
  const { quotas = [], claims = [] } = snapshot;
  const owns = (id: Id) =>
    quotas.some(({ quota }) => quota.projectId === id && quota.guaranteed !== null);
  if (!owns(gang.run.projectId)) return false;
  const leaving = claims.filter(({ projectId, isService }) => !owns(projectId) && !isService);
  if (leaving.length === 0) return false;
  const ctx = { now: scene.now(), newId: scene.newId, settings: scene.settings };
  const decision = place(without(snapshot, gang, leaving), new Map(), ctx);
  const charges = decision.changes.flatMap((change) =>
    change.type === 'job.update' && change.set.charge ? [change.set.charge] : [],
  );
  return charges.length > 0 && isWithin(snapshot, gang.run.projectId, charges);
}

function without(
  snapshot: PlacementSnapshot,
  gang: Gang,
  leaving: readonly ClaimState[],
): PlacementSnapshot {
  const freed = new Map<Id, number>();
  for (const { instanceId, blocks } of leaving) {
    freed.set(instanceId, (freed.get(instanceId) ?? 0) + blocks);
  }
  const instances = snapshot.instances.map((instance) => {
    const blocks = freed.get(instance.id) ?? 0;
    if (blocks === 0) return instance;
    const busyBlocks = instance.busyBlocks - blocks;
    const isEmpty = busyBlocks === 0 && isInstanceBusy(instance.status);
    return { ...instance, busyBlocks, status: isEmpty ? ('idle' as const) : instance.status };
  });
  const quotas = (snapshot.quotas ?? []).map(({ quota, used }) => {
    const left: Record<string, Amounts> = { ...used };
    for (const { projectId, charge } of leaving) {
      const user = charge && chargedUser(quota, { projectId, ...charge });
      if (user != null && charge) left[user] = minus(left[user] ?? {}, charge.amounts);
    }
    return { quota, used: left };
  });
  const jobs = gang.jobs.map((job) => ({ ...job, reserved: null, reclaim: null }));
  const claims = (snapshot.claims ?? []).filter((one) => !leaving.includes(one));
  return { ...snapshot, gangs: [{ ...gang, jobs }], instances, quotas, claims, occupants: [] };
}

function isWithin(
  { claims = [], quotas = [] }: PlacementSnapshot,
  projectId: Id,
  charges: readonly ChargeRecord[],
): boolean {
  const present = claims.flatMap((one) =>
    one.projectId === projectId && one.charge ? [one.charge] : [],
  );
  let isConcerned = false;
  for (const { quota } of quotas) {
    if (quota.projectId !== projectId || quota.userId !== null || !quota.guaranteed) continue;
    const own = (list: readonly ChargeRecord[]) =>
      list
        .filter(({ fleetId }) => quota.fleetId === null || quota.fleetId === fleetId)
        .map(({ amounts }) => amounts)
        .reduce(plus, {} as Amounts);
    const [asked, used] = [own(charges), own(present)];
    for (const [resource, most] of Object.entries(termsAmounts(quota.guaranteed))) {
      if ((asked[resource] ?? 0) === 0) continue;
      isConcerned = true;
      if ((used[resource] ?? 0) + (asked[resource] ?? 0) > most) return false;
    }
  }
  return isConcerned;
}
