/** Compares the ledger, commit by commit, with the blocks that jobs held and the machines that there were. */
import {
  type Change,
  dayParts,
  type Id,
  type LedgerAmounts,
  NO_AMOUNTS,
  type PricedInterval,
  plusAmounts,
} from '@dstack/core';
import { Breach } from './breach.ts';

export interface LedgerWatchOptions {
  /** Otherwise a clock that was set makes times that belong to no common order. */
  readonly isTimeSteady: boolean;
  readonly onBreach: (breach: Breach) => void;
}

interface Claim {
  readonly instanceId: Id;
  readonly blocks: number;
  readonly since: number | null;
}

interface Machine {
  readonly since: number | null;
  readonly until: number | null;
}

interface Paid {
  readonly machine: LedgerAmounts;
  readonly jobs: LedgerAmounts;
}

/**
 * 26: the write in which a job leaves its machine enters what it has held, the one in which a machine ends what it was. A job
 * pays for its own blocks, and for no time after the end of its machine, and the jobs of a machine have cost no more than the
 * machine.
 */
export class LedgerWatch {
  readonly #options: LedgerWatchOptions;
  readonly #claims = new Map<Id, Claim>();
  readonly #machines = new Map<Id, Machine>();
  readonly #paid = new Map<Id, Paid>();
  #entered = 0;

  constructor(options: LedgerWatchOptions) {
    this.#options = options;
  }

  /** How many intervals were entered. */
  get entered(): number {
    return this.#entered;
  }

  applied(changes: readonly Change[]): void {
    const entered = new Map<Id, PricedInterval>();
    for (const change of changes) {
      if (change.type !== 'ledger.append') continue;
      entered.set(change.interval.subjectId, change.interval);
      this.#checkJob(change.interval);
      this.#pay(change.interval);
    }
    for (const change of changes) {
      if (change.type === 'instance.insert') {
        const { id, startedAt: since } = change.instance;
        this.#machines.set(id, { since, until: null });
      } else if (change.type === 'instance.update') this.#onMachine(change, entered);
      else if (change.type === 'job.update') this.#onJob(change, entered);
    }
  }

  /** The pass that enters it has read the end of the machine, or its write fails: nothing has to be tolerated. */
  #checkJob({ subjectId, instanceId, run, blocks, until }: PricedInterval): void {
    if (run === null) return;
    const claimed = this.#claims.get(subjectId)?.blocks ?? 0;
    if (blocks !== claimed) {
      this.#break(`the job ${subjectId} pays for ${blocks} blocks, and has claimed ${claimed}`);
    }
    const end = this.#machines.get(instanceId)?.until ?? until;
    if (until > end) {
      this.#break(`the job ${subjectId} pays for ${until - end} µs after the end of its machine`);
    }
  }

  #pay(interval: PricedInterval): void {
    this.#entered += 1;
    const { instanceId, run } = interval;
    const amounts = dayParts(interval)
      .map((part) => part.amounts)
      .reduce(plusAmounts, NO_AMOUNTS);
    const known = this.#paid.get(instanceId) ?? { machine: NO_AMOUNTS, jobs: NO_AMOUNTS };
    this.#paid.set(
      instanceId,
      run === null
        ? { ...known, machine: plusAmounts(known.machine, amounts) }
        : { ...known, jobs: plusAmounts(known.jobs, amounts) },
    );
  }

  #onMachine(
    { id, set }: Extract<Change, { type: 'instance.update' }>,
    entered: ReadonlyMap<Id, PricedInterval>,
  ): void {
    const before = this.#machines.get(id) ?? { since: null, until: null };
    const since = set.startedAt ?? before.since;
    const until = set.finishedAt ?? before.until;
    this.#machines.set(id, { since, until });
    if (before.until !== null || until === null) return;
    if (before.since !== null && until > before.since && !entered.has(id)) {
      this.#break(`the machine ${id} has ended, and nothing was entered`);
    }
    this.#compare(id);
  }

  #onJob(
    { id, set }: Extract<Change, { type: 'job.update' }>,
    entered: ReadonlyMap<Id, PricedInterval>,
  ): void {
    const before = this.#claims.get(id);
    if (set.instanceId === null && before !== undefined) {
      this.#claims.delete(id);
      const until = Math.min(
        set.finishedAt ?? before.since ?? 0,
        this.#machines.get(before.instanceId)?.until ?? Number.POSITIVE_INFINITY,
      );
      if (before.since !== null && until > before.since && !entered.has(id)) {
        this.#break(`the job ${id} has left its machine, and nothing was entered`);
      }
      this.#compare(before.instanceId);
      return;
    }
    const instanceId = set.instanceId ?? before?.instanceId;
    if (instanceId === undefined) return;
    this.#claims.set(id, {
      instanceId,
      blocks: set.claimedBlocks ?? before?.blocks ?? 0,
      since: set.provisionedAt ?? before?.since ?? null,
    });
  }

  /** Once the machine has ended and no job holds it. */
  #compare(instanceId: Id): void {
    if (!this.#options.isTimeSteady || this.#machines.get(instanceId)?.until == null) return;
    for (const claim of this.#claims.values()) if (claim.instanceId === instanceId) return;
    const { machine, jobs } = this.#paid.get(instanceId) ?? {
      machine: NO_AMOUNTS,
      jobs: NO_AMOUNTS,
    };
    if (jobs.cost <= machine.cost && jobs.gpuMs <= machine.gpuMs) return;
    this.#break(`jobs have cost ${jobs.cost} on ${instanceId}, which has cost ${machine.cost}`);
  }

  #break(text: string): void {
    this.#options.onBreach(new Breach(26, text));
  }
}
