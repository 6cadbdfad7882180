/** Creations of machines, which an order begins and which may fail later. */
import type { CloudAccount } from '../../account.ts';
import { SECOND_US } from '../../clock.ts';

/** Until an order fails of what is sold out. */
const REFUSED_AFTER_US = 5 * SECOND_US;

export const timeOf = (us: number): string => new Date(us / 1000).toISOString();

export interface Creation {
  readonly operation_id: string;
  readonly vm: string;
  /** There is no such machine, and there will be none. */
  readonly soldOut: boolean;
  /** In µs. */
  readonly startedAt: number;
}

const creations = new WeakMap<CloudAccount, Creation[]>();

export function creationsOf(account: CloudAccount): Creation[] {
  const known = creations.get(account) ?? [];
  creations.set(account, known);
  return known;
}

export function operationForm(account: CloudAccount, { operation_id, vm: id, ...of }: Creation) {
  const vm = account.vms.get(id);
  const isEarly = account.clock.now < of.startedAt + REFUSED_AFTER_US;
  const problem = of.soldOut
    ? { code: 'out_of_stock', message: 'the requested resource is out of stock' }
    : vm?.state === 'failed' && { code: 'internal_error', message: vm.problem ?? '' };
  const isOpen = of.soldOut ? isEarly : vm?.state === 'pending';
  const state = isOpen ? 'IN_PROGRESS' : problem ? 'FAILED' : 'SUCCEEDED';
  return {
    ...{ operation_id, state, metadata: { id }, started_at: timeOf(of.startedAt) },
    completed_at: isOpen ? '' : timeOf(account.clock.now),
    ...(!isOpen && problem && { result: problem }),
  };
}

/** Once it has been reported as ended, nothing knows of it any more. */
export function reported(account: CloudAccount, begun: readonly Creation[]) {
  const forms = begun.map((one) => operationForm(account, one));
  const ended = new Set(forms.flatMap((it) => (it.state === 'IN_PROGRESS' ? [] : it.operation_id)));
  const left = creationsOf(account).filter(({ operation_id }) => !ended.has(operation_id));
  creations.set(account, left);
  return forms;
}
