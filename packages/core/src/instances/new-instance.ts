/** Records of new instances: number, name and specification. */

import type { FleetSpec } from '@dstack/contract/wire';
import { capabilitiesOf, SSH_HOST_BACKEND } from '../capabilities/capabilities.ts';
import type { Draft } from '../draft/draft.ts';
import { instanceTarget } from '../events/events.ts';
import { recordEvent } from '../events/record-event.ts';
import type { FleetHost } from '../fleet-spec/prepare.ts';
import type { Decision, FleetRecord, Id, InstanceRecord, Timestamp } from '../model/index.ts';
import { fleetRequirements } from '../profile/fleet-requirements.ts';
import { mergedFleetProfile } from '../profile/merge.ts';
import { DEFAULT_IDLE_FOR_FLEET, isInstanceActive, isSshHost } from '../status/index.ts';

/** The `count` lowest numbers that no instance of the fleet has. */
export function freeNumbers(instances: readonly InstanceRecord[], count: number): number[] {
  const taken = new Set(instances.filter((one) => !one.deleted).map((one) => one.instanceNum));
  const free: number[] = [];
  for (let num = 0; free.length < count; num++) if (!taken.has(num)) free.push(num);
  return free;
}

export const instanceName = (fleet: FleetRecord, num: number): string => `${fleet.name}-${num}`;

/** Identity of a new instance. `id` is also the key of an SSH host's record. */
export interface InstancePlace {
  readonly id: Id;
  readonly num: number;
  readonly now: Timestamp;
}

/** A host of an SSH fleet, to be added. */
export function sshHostInstance(
  fleet: FleetRecord,
  host: FleetHost,
  place: InstancePlace,
): InstanceRecord {
  const blocks = host.blocks ?? fleet.spec.configuration.blocks ?? 1;
  return {
    ...newInstance(fleet, place),
    backend: SSH_HOST_BACKEND,
    region: 'remote',
    price: host.price,
    totalBlocks: typeof blocks === 'number' ? blocks : null,
    requirements: null,
    idleSeconds: null,
    hostId: place.id,
    address: host.hostname,
  };
}

/** Plans one more instance for the fleet itself. */
export function planInstance(
  draft: Draft,
  fleet: FleetRecord,
  num: number,
  why: 'fleet submission' | 'target fleet node count',
): void {
  const instance = draft.instances.insert(
    newInstance(fleet, { id: draft.newId(), num, now: draft.now }),
  );
  const data = { why, status: instance.status };
  const targets = [instanceTarget(instance)];
  draft.event(recordEvent({ action: 'instance.created', data, targets }));
  draft.signal('instance', instance.id);
}

/** An instance without a machine, as its fleet specifies it. */
export function newInstance(fleet: FleetRecord, { id, num, now }: InstancePlace): InstanceRecord {
  const { blocks } = fleet.spec.configuration;
  return {
    id,
    projectId: fleet.projectId,
    fleetId: fleet.id,
    instanceNum: num,
    name: instanceName(fleet, num),
    backend: null,
    region: '',
    price: 0,
    status: 'pending',
    unreachable: false,
    health: 'healthy',
    healthMessage: null,
    hostTrouble: null,
    scheduling: null,
    provisioningJobId: null,
    offer: null,
    provisioningData: null,
    totalBlocks: typeof blocks === 'number' ? blocks : null,
    busyBlocks: 0,
    requirements: fleetRequirements(fleet.spec),
    profile: mergedFleetProfile(fleet.spec),
    idleSeconds: idleSecondsOf(fleet),
    groupId: null,
    handle: null,
    hostId: null,
    address: null,
    hostFacts: null,
    terminationReason: null,
    terminationMessage: null,
    createdAt: now,
    startedAt: null,
    pricedSince: null,
    finishedAt: null,
    deletedAt: null,
    lastJobFinishedAt: null,
    statusChangedAt: now,
    unreachableSince: null,
    nextPassAt: null,
    deleted: false,
    version: 0,
  };
}

/**
 * A changed `idle_duration` of their fleet holds for its machines at once. SSH hosts have none, and one that was made
 * for a single job (0) ends with it.
 */
export function withIdleDuration(
  instances: readonly InstanceRecord[],
  before: FleetSpec,
  after: FleetSpec,
): Pick<Decision, 'changes' | 'signals'> {
  const idleSeconds = idleSecondsOf({ spec: after });
  const present = idleSecondsOf({ spec: before });
  if (idleSeconds === present) return { changes: [], signals: [] };
  const isForOneJob = (one: InstanceRecord) => one.idleSeconds === 0 && present !== 0;
  const concerned = instances.filter(
    (one) =>
      isInstanceActive(one.status) &&
      !isForOneJob(one) &&
      !isSshHost(one.backend) &&
      !capabilitiesOf(one.backend).container,
  );
  return {
    changes: concerned.map(({ id, version }) => ({
      ...{ type: 'instance.update', id, version },
      set: { idleSeconds },
    })),
    signals: concerned.map(({ id }) => ({ kind: 'instance', id })),
  };
}

/** Null = never terminated because it is idle (`off`). */
function idleSecondsOf(fleet: Pick<FleetRecord, 'spec'>): number | null {
  const wanted = mergedFleetProfile(fleet.spec).idle_duration ?? null;
  if (wanted === null) return DEFAULT_IDLE_FOR_FLEET;
  // -1 means `off`.
  return typeof wanted === 'number' && wanted >= 0 ? wanted : null;
}
