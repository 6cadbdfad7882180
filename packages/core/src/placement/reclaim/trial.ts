/** Where a gang would be placed if others had left. */
import type { Amounts, Id, InstanceRecord, QuotaState } from '../../model/index.ts';
import { chargedUser } from '../../quotas/accounts.ts';
import { minus } from '../../quotas/amounts.ts';
import type { Claim } from '../../quotas/claims.ts';
import { isInstanceBusy } from '../../status/index.ts';
import type { GangRequest } from '../gang-request.ts';
import { CapacityLedger } from '../place/capacity-ledger.ts';
import { chooseFleet, type FleetOption } from '../place/choose-fleet.ts';

/** The requests of other gangs. */
export interface Others {
  /** Instances on which what becomes free is theirs. */
  readonly kept: ReadonlySet<Id>;
  /** By instance, the blocks that they will use beyond those that leave for them; negative = some are left over. */
  readonly planned: ReadonlyMap<Id, number>;
}

/** The place of the gang on what the pass and others leave it, and the claims of those that leave. */
export function placeWithout(
  ledger: CapacityLedger,
  request: GangRequest,
  leaving: readonly Claim[],
  { kept, planned }: Others,
): FleetOption | null {
  const freed = new Map<Id, number>();
  for (const { instanceId, blocks } of leaving) {
    freed.set(instanceId, (freed.get(instanceId) ?? 0) + blocks);
  }
  const instances = ledger.snapshot.instances.flatMap((instance): InstanceRecord[] => {
    const left = freed.get(instance.id) ?? 0;
    const busyBlocks = Math.max(
      0,
      ledger.busyBlocks(instance) + (planned.get(instance.id) ?? 0) - left,
    );
    // A pool may have thousands of full instances, which can take nothing.
    if (left === 0 && busyBlocks >= (instance.totalBlocks ?? 0)) return [];
    return [busyBlocks === instance.busyBlocks ? instance : withBusy(instance, busyBlocks)];
  });
  const quotas = (ledger.snapshot.quotas ?? []).map((state) => withoutUse(state, leaving));
  const { localMaxInstances, moment } = ledger;
  const trial = new CapacityLedger(
    { ...ledger.snapshot, instances, quotas, occupants: [] },
    { localMaxInstances },
    moment,
  );
  for (const instance of instances) {
    if (kept.has(instance.id)) trial.hold(instance, OTHERS);
  }
  const fleetId = ledger.fleetOfRun(request.run);
  return chooseFleet(trial, { ...request, run: { ...request.run, fleetId } }, () => []);
}

/** A whole machine can only be taken while it is idle. */
function withBusy(instance: InstanceRecord, busyBlocks: number): InstanceRecord {
  const isEmpty = busyBlocks === 0 && isInstanceBusy(instance.status);
  return { ...instance, busyBlocks, status: isEmpty ? 'idle' : instance.status };
}

/** Gangs that have asked before. */
const OTHERS = { id: '', name: '', projectId: '', userId: '', priority: 0, submittedAt: 0 };

function withoutUse({ quota, used }: QuotaState, leaving: readonly Claim[]): QuotaState {
  const left: Record<string, Amounts> = { ...used };
  for (const { projectId, charge } of leaving) {
    if (charge === null) continue;
    const user = chargedUser(quota, { projectId, ...charge });
    if (user !== null) left[user] = minus(left[user] ?? {}, charge.amounts);
  }
  return { quota, used: left };
}
