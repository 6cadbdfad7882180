/**
 * The lists of an account as one backend judges them, by the machines that it follows: with a key of another account
 * those of other backends there prove nothing.
 */
import type { AccountVms, ListVms } from './account-vms.ts';
import type { MadeVms } from './made-vms.ts';
import { MissingGuard } from './missing-guard.ts';
import { KEY_TAG } from './names.ts';
import type { CallPace } from './pace.ts';
import type { Vm, VmCloud } from './vm-cloud.ts';
import { isEnding } from './vm-phases.ts';
import type { VmWay } from './vm-way.ts';

export interface JudgedListsOptions {
  readonly cloud: VmCloud;
  readonly way: Pick<VmWay, 'handleData'>;
  readonly pace: Pick<CallPace, 'now'>;
  /** The lists of the account, which backends with the same credentials share. */
  readonly account: AccountVms;
  readonly made: MadeVms;
}

export class JudgedLists {
  readonly missing: MissingGuard;
  readonly #options: JudgedListsOptions;
  readonly #list: ListVms;
  /** The last list that was judged. */
  #judged: readonly Vm[] | null = null;
  /** Its machines, by the data of their handles. */
  #byData: ReadonlyMap<string, Vm> = new Map();

  constructor(options: JudgedListsOptions) {
    this.#options = options;
    const { cloud, account, pace, made } = options;
    this.#list = () => cloud.list();
    this.missing = new MissingGuard({
      ...{ title: cloud.title, pace },
      isExpected: (vm) => vm.tags[KEY_TAG] !== undefined && !isEnding(cloud, vm),
      wasThere: (id) => account.hasListed(id) || made.has(id),
    });
  }

  async shared(): Promise<readonly Vm[]> {
    return this.#judge(await this.#options.account.shared(this.#list));
  }

  async fresh(): Promise<readonly Vm[]> {
    return this.#judge(await this.#options.account.fresh(this.#list));
  }

  /** A machine was created, or is being ended. */
  changed(): void {
    this.#options.account.changed();
  }

  /** Whether a list of the account has contained it within an hour. */
  hasListed(id: string): boolean {
    return this.#options.account.hasListed(id);
  }

  /** The machine of the last list whose handle has this data; null = there is none. */
  withData(data: string): Vm | null {
    return this.#byData.get(data) ?? null;
  }

  #judge(vms: readonly Vm[]): readonly Vm[] {
    if (this.#judged !== vms) {
      this.missing.listed(vms);
      this.#index(vms);
    }
    this.#judged = vms;
    return vms;
  }

  /** For reports, which name machines by the data of their handles. */
  #index(vms: readonly Vm[]): void {
    const { handleData } = this.#options.way;
    if (!handleData) return;
    const entries = vms.map((vm) => [handleData(vm.tags[KEY_TAG] ?? null), vm] as const);
    this.#byData = new Map(entries.filter((entry): entry is [string, Vm] => entry[0] !== null));
  }
}
