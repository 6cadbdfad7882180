import type {
  BackendName,
  FleetRecord,
  GroupRecord,
  Id,
  IntentPayload,
  Offer,
  Timestamp,
} from '../model/index.ts';

interface Place {
  readonly id: Id;
  readonly now: Timestamp;
  readonly projectName: string;
}

/** A placement group of the cluster at this site, to be created. */
export function placementGroup(
  fleet: FleetRecord,
  { backend, region }: { readonly backend: BackendName; readonly region: string },
  place: Place,
): GroupRecord {
  return { ...newGroup(fleet, place), kind: 'placement', backend, region };
}

/** The group of a gang's new instances, by rank. */
export function computeGroup(
  fleet: FleetRecord,
  memberIds: readonly Id[],
  place: Place,
): GroupRecord {
  return { ...newGroup(fleet, place), kind: 'compute', memberIds };
}

/** The order of a group. `offers`: to be tried for a compute group, none for a placement group. */
export function groupOrder(offers: readonly Offer[], maxTries: number): IntentPayload {
  return { kind: 'group.create', offers, maxTries, totalOffers: offers.length };
}

/** Providers limit names of groups to 32 characters and more. */
const LONGEST_PART = 10;

function newGroup(fleet: FleetRecord, { id, now, projectName }: Place): Omit<GroupRecord, 'kind'> {
  const parts = [projectName, fleet.name].map((part) => part.slice(0, LONGEST_PART));
  return {
    id,
    projectId: fleet.projectId,
    fleetId: fleet.id,
    name: [...parts, id.slice(0, 8)].join('-').toLowerCase(),
    backend: null,
    region: '',
    status: 'creating',
    statusMessage: null,
    handle: null,
    offer: null,
    memberIds: [],
    createdAt: now,
    statusChangedAt: now,
    nextPassAt: null,
    deleted: false,
    version: 0,
  };
}
