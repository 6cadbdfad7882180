import type {
  AttachmentRecord,
  Change,
  FleetRecord,
  GatewayRecord,
  GatewayReplicaRecord,
  GroupRecord,
  InstanceRecord,
  JobRecord,
  RunRecord,
  VolumeRecord,
} from '@dstack/core';

interface Guarded<T extends string, S> {
  readonly table: T;
  readonly id: string;
  readonly version: number;
  readonly set: Partial<S>;
}

export type RowUpdate =
  | Guarded<'fleets', FleetRecord>
  | Guarded<'instances', InstanceRecord>
  | Guarded<'runs', RunRecord>
  | Guarded<'jobs', JobRecord>
  | Guarded<'volumes', VolumeRecord>
  | Guarded<'volume_attachments', AttachmentRecord>
  | Guarded<'gateways', GatewayRecord>
  | Guarded<'gateway_replicas', GatewayReplicaRecord>
  | Guarded<'provider_groups', GroupRecord>;

export interface RowDelete {
  readonly table: 'instances' | 'jobs' | 'volume_attachments';
  readonly id: string;
  readonly version: number;
}

/**
 * One write per row and version: a decision may change a row in several steps, each based on the
 * same version. In one order everywhere, so that transactions on PostgreSQL do not wait for each
 * other in a circle.
 */
export function mergeUpdates(changes: readonly Change[]): RowUpdate[] {
  const merged = new Map<string, RowUpdate>();
  for (const change of changes) {
    const update = toUpdate(change);
    if (!update) continue;
    const key = `${update.table} ${update.id} ${update.version}`;
    const earlier = merged.get(key);
    const set = { ...earlier?.set, ...update.set };
    merged.set(key, { ...update, set } as RowUpdate);
  }
  return [...merged.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, update]) => update);
}

function toUpdate(change: Change): RowUpdate | null {
  switch (change.type) {
    case 'fleet.update':
      return { table: 'fleets', ...guard(change), set: change.set };
    case 'instance.update':
      return { table: 'instances', ...guard(change), set: change.set };
    case 'run.update':
      return { table: 'runs', ...guard(change), set: change.set };
    case 'job.update':
      return { table: 'jobs', ...guard(change), set: change.set };
    case 'volume.update':
      return { table: 'volumes', ...guard(change), set: change.set };
    case 'attachment.update':
      return { table: 'volume_attachments', ...guard(change), set: change.set };
    case 'gateway.update':
      return { table: 'gateways', ...guard(change), set: change.set };
    case 'gateway-replica.update':
      return { table: 'gateway_replicas', ...guard(change), set: change.set };
    case 'group.update':
      return { table: 'provider_groups', ...guard(change), set: change.set };
    default:
      return null;
  }
}

export function rowDeletes(changes: readonly Change[]): RowDelete[] {
  return changes.flatMap((change): RowDelete[] => {
    if (change.type === 'job.delete') return [{ table: 'jobs', ...guard(change) }];
    if (change.type === 'instance.delete') return [{ table: 'instances', ...guard(change) }];
    if (change.type === 'attachment.delete') {
      return [{ table: 'volume_attachments', ...guard(change) }];
    }
    return [];
  });
}

function guard(change: { readonly id: string; readonly version: number }) {
  return { id: change.id, version: change.version };
}
