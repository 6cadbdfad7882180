/** The gangs that have places, as reclaim and preemption see them. */
import type { Amounts, ClaimState, Id, InstanceRecord, Offer, Timestamp } from '../model/index.ts';
import { plus } from './amounts.ts';
import { chargeOf } from './charge.ts';

/** A claim with what it uses. */
export interface Claim extends ClaimState {
  readonly fleetId: Id;
  readonly amounts: Amounts;
}

/** The claims of one replica, which can only leave together. */
export interface PlacedGang {
  readonly key: string;
  readonly runId: Id;
  readonly projectId: Id;
  readonly fleetId: Id;
  readonly priority: number;
  /** The time of its first claim. */
  readonly claimedAt: Timestamp;
  readonly claims: readonly Claim[];
  readonly amounts: Amounts;
}

export function gangKeyOf({
  runId,
  replicaNum,
}: {
  readonly runId: Id;
  readonly replicaNum: number;
}): string {
  return `${runId} ${replicaNum}`;
}

/**
 * Claims on these instances, and charged ones on others, which count against guarantees too. Those of machines that are
 * not known yet use nothing.
 */
export function claimsOn(
  states: readonly ClaimState[],
  instances: readonly InstanceRecord[],
): Claim[] {
  const byId = new Map(instances.map((instance) => [instance.id, instance]));
  return states.flatMap((state) => {
    const instance = byId.get(state.instanceId);
    if (instance) {
      return [{ ...state, fleetId: instance.fleetId, amounts: amountsOf(state, instance) }];
    }
    const { charge } = state;
    return charge === null ? [] : [{ ...state, fleetId: charge.fleetId, amounts: charge.amounts }];
  });
}

function amountsOf(
  { charge, blocks }: ClaimState,
  { offer, totalBlocks }: InstanceRecord,
): Amounts {
  if (charge !== null) return charge.amounts;
  return offer === null || blocks === 0 ? {} : knownCharge(offer, blocks, totalBlocks ?? blocks);
}

/** Records of instances are kept between passes, so each share is computed once. */
const charges = new WeakMap<Offer, Map<string, Amounts>>();

function knownCharge(offer: Offer, blocks: number, totalBlocks: number): Amounts {
  const known = charges.get(offer) ?? new Map<string, Amounts>();
  charges.set(offer, known);
  const key = `${blocks}/${totalBlocks}`;
  const amounts = known.get(key) ?? chargeOf(offer, blocks, totalBlocks);
  known.set(key, amounts);
  return amounts;
}

/** Oldest first. */
export function placedGangs(claims: readonly Claim[]): PlacedGang[] {
  const groups = new Map<string, Claim[]>();
  for (const claim of claims) {
    const key = gangKeyOf(claim);
    const own = groups.get(key);
    if (own) own.push(claim);
    else groups.set(key, [claim]);
  }
  const gangs = [...groups].flatMap(([key, own]): PlacedGang[] => {
    const [first] = own;
    if (!first) return [];
    const { runId, projectId, fleetId, priority } = first;
    const claimedAt = Math.min(...own.map((one) => one.claimedAt));
    const amounts = own.map((one) => one.amounts).reduce(plus, {});
    return [{ key, runId, projectId, fleetId, priority, claimedAt, claims: own, amounts }];
  });
  return gangs.sort((a, b) => a.claimedAt - b.claimedAt || (a.key < b.key ? -1 : 1));
}
