import type { JobSpec, RunSpec } from '@dstack/contract/wire';
import type { Id, QuotaState } from '../../model/index.ts';
import { inUnits } from '../../quotas/amounts.ts';
import { requestOf } from '../gang-request.ts';
import { leastAmounts } from './least.ts';
import { QuotaLedger } from './quota-ledger.ts';

/** A limit that a run exceeds by itself, whatever else ends. */
export interface Exceeded {
  readonly resource: string;
  readonly limit: number;
  readonly needed: number;
  readonly of: 'project' | 'user';
}

/**
 * The limit that keeps the run from ever starting; null = there is none. Only quotas that hold on all fleets: a run may
 * find another fleet. `jobSpecs`: one replica of each group.
 */
export function exceededLimit(
  states: readonly QuotaState[],
  run: { readonly projectId: Id; readonly userId: Id },
  spec: RunSpec,
  jobSpecs: readonly JobSpec[],
): Exceeded | null {
  const empty = states.map(({ quota }) => ({ quota, used: {} }));
  const ledger = new QuotaLedger(empty);
  for (const group of new Set(jobSpecs.map((one) => one.replica_group))) {
    const gang = jobSpecs.filter((one) => one.replica_group === group);
    const request = requestOf({ id: '', fleetId: null, ...run }, spec, gang);
    const lack = ledger.lackFor({ ...run, fleetId: '' }, leastAmounts(request));
    if (lack === null) continue;
    const { resource, limit, needed, account } = lack;
    const of = account.state.quota.userId === null ? 'project' : 'user';
    return {
      ...{ resource, of },
      ...{ limit: inUnits(resource, limit), needed: inUnits(resource, needed) },
    };
  }
  return null;
}
