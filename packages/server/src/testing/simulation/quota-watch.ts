/** The amounts that jobs use of quotas, followed by the commits, beside the counters in the database. */
import { isJobFinished } from '@dstack/contract/status';
import {
  type Amounts,
  type Change,
  type ChargeRecord,
  chargedUser,
  type Id,
  type JobRecord,
  plus,
  type QuotaState,
  termsAmounts,
} from '@dstack/core';
import type { Store } from '@dstack/store';
import { activeRuns } from './active-runs.ts';
import { Breach } from './breach.ts';

interface ChargedJob {
  readonly projectId: Id;
  readonly charge: ChargeRecord;
}

export interface QuotaWatchOptions {
  readonly store: Store;
  readonly job: (id: Id) => JobRecord | null;
  readonly now: () => number;
  readonly onBreach: (breach: Breach) => void;
}

/**
 * 17: the counters of quotas equal the sum over claims whenever a claim or a quota has changed, and no claim raises one
 * above its limit.
 */
export class QuotaWatch {
  readonly #options: QuotaWatchOptions;
  readonly #charges = new Map<Id, ChargedJob>();
  #quotas: readonly QuotaState[] = [];
  #changedAt = Number.NEGATIVE_INFINITY;
  /** By project, when one of its claims ended last. */
  readonly #releasedAt = new Map<Id, number>();
  /** Writes that have begun and not returned: counters may be of a later moment than these records. */
  #writes = 0;
  #checks = 0;

  constructor(options: QuotaWatchOptions) {
    this.#options = options;
  }

  /** How often counters were compared with claims. */
  get checks(): number {
    return this.#checks;
  }

  /** When a quota was last set or deleted. */
  get changedAt(): number {
    return this.#changedAt;
  }

  releasedAt(projectId: Id): number {
    return this.#releasedAt.get(projectId) ?? Number.NEGATIVE_INFINITY;
  }

  quotasOf(projectId: Id): readonly QuotaState['quota'][] {
    return this.#quotas.flatMap(({ quota }) => (quota.projectId === projectId ? [quota] : []));
  }

  chargeOf(jobId: Id): ChargeRecord | null {
    return this.#charges.get(jobId)?.charge ?? null;
  }

  /** Used of a quota, without the claims of `but`; of one user, or of all. */
  usedOf(quota: QuotaState['quota'], but: ReadonlySet<Id> = new Set(), user?: string): Amounts {
    let used: Amounts = {};
    for (const [id, { projectId, charge }] of this.#charges) {
      const charged = but.has(id) ? null : chargedUser(quota, { projectId, ...charge });
      if (charged !== null && (user === undefined || charged === user)) {
        used = plus(used, charge.amounts);
      }
    }
    return used;
  }

  /** Wraps a write. */
  async during<T>(write: () => Promise<T>): Promise<T> {
    this.#writes += 1;
    try {
      return await write();
    } finally {
      this.#writes -= 1;
    }
  }

  async applied(changes: readonly Change[]): Promise<void> {
    const claimed: ChargedJob[] = [];
    const projects = new Set<Id>();
    for (const change of changes) {
      const charge = changedCharge(change);
      if (charge === undefined || !('id' in change)) continue;
      const before = this.#charges.get(change.id) ?? null;
      const projectId = before?.projectId ?? this.#options.job(change.id)?.projectId;
      if (projectId === undefined || (before === null && charge === null)) continue;
      projects.add(projectId);
      if (charge === null) {
        this.#charges.delete(change.id);
        this.#releasedAt.set(projectId, this.#options.now());
        continue;
      }
      this.#charges.set(change.id, { projectId, charge });
      if (before === null) claimed.push({ projectId, charge });
    }
    for (const one of claimed) this.#checkLimits(one);
    if (projects.size > 0) await this.#compare([...projects]);
  }

  /** Quotas were set: claims may have been charged anew. */
  async set(): Promise<void> {
    const { store, now } = this.#options;
    this.#changedAt = now();
    const runs = await activeRuns(store);
    const jobs = (await Promise.all(runs.map(({ id }) => store.jobs.ofRun(id)))).flat();
    this.#charges.clear();
    for (const { id, projectId, charge, status } of jobs) {
      if (charge !== null && !isJobFinished(status)) this.#charges.set(id, { projectId, charge });
    }
    this.#quotas = await store.quotas.list(null);
    await this.#compare([...new Set(this.#quotas.map(({ quota }) => quota.projectId))]);
  }

  #checkLimits({ projectId, charge }: ChargedJob): void {
    for (const { quota } of this.#quotas) {
      const user = chargedUser(quota, { projectId, ...charge });
      if (user === null) continue;
      const used = this.usedOf(quota, new Set(), user);
      for (const [resource, most] of Object.entries(termsAmounts(quota.limits))) {
        if ((charge.amounts[resource] ?? 0) === 0 || (used[resource] ?? 0) <= most) continue;
        const text = `a claim raised ${resource} of project ${projectId} to ${used[resource]} of ${most}`;
        this.#options.onBreach(new Breach(17, text));
      }
    }
  }

  /** Only where no other write is under way. */
  async #compare(projectIds: readonly Id[]): Promise<void> {
    if (this.#writes > 1) return;
    for (const id of projectIds) {
      const states = await this.#options.store.quotas.ofProject(id);
      if (this.#writes > 1) return;
      this.#checks += 1;
      for (const { quota, used } of states) this.#mustEqual(quota, used);
    }
  }

  #mustEqual(quota: QuotaState['quota'], used: QuotaState['used']): void {
    const users = new Set(Object.keys(used));
    for (const { projectId, charge } of this.#charges.values()) {
      const user = chargedUser(quota, { projectId, ...charge });
      if (user !== null) users.add(user);
    }
    for (const user of users) {
      const [counted, claimed] = [used[user] ?? {}, this.usedOf(quota, new Set(), user)];
      for (const resource of Object.keys({ ...counted, ...claimed })) {
        const [have, want] = [counted[resource] ?? 0, claimed[resource] ?? 0];
        if (have === want) continue;
        const text = `a quota of ${quota.projectId} counts ${have} ${resource}, its claims use ${want}`;
        this.#options.onBreach(new Breach(17, text));
      }
    }
  }
}

/** Undefined: the change is about something else. */
function changedCharge(change: Change): ChargeRecord | null | undefined {
  if (change.type === 'job.delete') return null;
  return change.type === 'job.update' ? change.set.charge : undefined;
}
