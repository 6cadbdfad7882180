/** Finds the place of one gang without placing it: a pass that stops at that gang. */
import type { Refusal } from '@dstack/contract/wire';
import type { DecisionContext, Gang, PlacementSnapshot } from '../model/index.ts';
import type { FleetOption } from './fleet-option.ts';
import type { GangRequest } from './gang-request.ts';
import type { CapacityLedger } from './ledger.ts';
import type { Ask } from './new-slots.ts';
import { PlacementPass } from './place.ts';
import { queueOf } from './queue.ts';
import { refusalOf } from './refusals.ts';

export interface GangLook {
  readonly gang: Gang;
  readonly request: GangRequest;
  /** The capacity that gangs ahead leave. */
  readonly ledger: CapacityLedger;
  readonly ask: Ask;
  /** Where the gang would be placed, or why not; one of the two is null. */
  readonly option: FleetOption | null;
  readonly refusal: Refusal | null;
  /** Gangs that the pass examined before. */
  readonly ahead: readonly Gang[];
}

/** Null: the gang is not in the queue. */
export function lookAtGang(
  snapshot: PlacementSnapshot,
  ask: Ask,
  ctx: DecisionContext,
  isMeant: (gang: Gang) => boolean,
): GangLook | null {
  const pass = new PlacementPass(snapshot, ask, ctx);
  const ahead: Gang[] = [];
  for (const queued of queueOf(snapshot)) {
    const { gang, request, shared } = queued;
    if (shared === null && isMeant(gang)) {
      const { ledger, option } = pass.look(queued);
      const refusal = option ? null : refusalOf(ledger, request, ask);
      return { gang, request, ledger, ask, option, refusal, ahead };
    }
    pass.take(queued);
    ahead.push(gang);
  }
  return null;
}
