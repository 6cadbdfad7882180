/** The placement group that an instance of a cluster is created in. */
import { Draft } from '../draft/draft.ts';
import type {
  BackendName,
  Decision,
  DecisionContext,
  FleetSnapshot,
  GroupRecord,
  Timestamp,
} from '../model/index.ts';
import { isGroupCreating, isGroupFailed, isGroupReady } from '../status/index.ts';
import { groupOrder, placementGroup } from './new-group.ts';

interface At {
  readonly backend: BackendName;
  readonly region: string;
}

export type PlacementGroupState =
  | { readonly kind: 'ready'; readonly name: string }
  | { readonly kind: 'creating' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'none' };

/** `since`: a group that could not be created before is tried again. */
export function placementGroupAt(
  groups: readonly GroupRecord[],
  { backend, region }: At,
  since: Timestamp,
): PlacementGroupState {
  const here = groups.filter(
    (one) => one.kind === 'placement' && one.backend === backend && one.region === region,
  );
  const ready = here.find((one) => isGroupReady(one.status));
  if (ready) return { kind: 'ready', name: ready.name };
  if (here.some((one) => isGroupCreating(one.status))) return { kind: 'creating' };
  const failed = here.find((one) => isGroupFailed(one.status) && one.createdAt >= since);
  return failed ? { kind: 'failed', message: failed.statusMessage ?? '' } : { kind: 'none' };
}

/**
 * Orders a placement group at this site; null if the cluster has one there, or if one was refused.
 */
export function requestPlacementGroup(
  { fleet, projectName, groups }: FleetSnapshot,
  at: At,
  since: Timestamp,
  ctx: Pick<DecisionContext, 'now' | 'newId'>,
): Pick<Decision, 'changes' | 'signals'> | null {
  if (placementGroupAt(groups, at, since).kind !== 'none') return null;
  const draft = new Draft({}, ctx);
  const place = { id: ctx.newId(), now: ctx.now, projectName };
  const group = draft.groups.insert(placementGroup(fleet, at, place));
  draft.announce(group.id, groupOrder([], 1));
  return { changes: draft.changes(), signals: draft.signals() };
}
