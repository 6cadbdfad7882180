import type { Change } from '@dstack/core';
import { projectChange, recordChange } from '../changes/record-change.ts';
import type { RecordChange } from '../changes/types.ts';
import type { RowDelete, RowUpdate } from './row-writes.ts';

/** Columns that no client sees: passes write them without any other change. */
export const INTERNAL: ReadonlySet<string> = new Set([
  'nextPassAt',
  'lastProcessedAt',
  'lastJobProcessedAt',
  'lastConsolidatedAt',
  'consolidationAttempt',
  'handle',
]);

const KINDS = {
  runs: 'run',
  jobs: 'job',
  instances: 'instance',
  fleets: 'fleet',
  volumes: 'volume',
  gateways: 'gateway',
} as const;

/** Attachments and groups have no messages of their own. */
function kindOf(table: string) {
  return table in KINDS ? KINDS[table as keyof typeof KINDS] : null;
}

export function changeOfUpdate({ table, id, version, set }: RowUpdate): RecordChange[] {
  const kind = kindOf(table);
  const isVisible = Object.keys(set).some((column) => !INTERNAL.has(column));
  return kind !== null && isVisible ? [recordChange(kind, id, version + 1)] : [];
}

export function changeOfDelete({ table, id }: RowDelete): RecordChange[] {
  const kind = kindOf(table);
  return kind === null ? [] : [recordChange(kind, id)];
}

/** The records that are inserted, and settings of the project that have changed. */
export function changesOfOthers(changes: readonly Change[]): RecordChange[] {
  return changes.flatMap((change): RecordChange[] => {
    switch (change.type) {
      case 'job.insert':
        return [recordChange('job', change.job.id, change.job.version)];
      case 'instance.insert':
        return [recordChange('instance', change.instance.id, change.instance.version)];
      case 'attachment.insert':
        return [recordChange('volume', change.attachment.volumeId)];
      case 'gateway-replica.insert':
        return [recordChange('gateway', change.replica.gatewayId)];
      case 'project.default-gateway':
        return [projectChange(change.id, 'settings')];
      default:
        return [];
    }
  });
}
