import type { Id, Timestamp } from '@dstack/core';
import type { Created, WriteExtras } from '../base/writes.ts';
import type { ExportRecord } from '../schema/resource-records.ts';

interface Named {
  readonly id: Id;
  readonly name: string;
}

export interface ExportView {
  readonly export: ExportRecord;
  readonly projectName: string;
  readonly importers: readonly Named[];
  readonly fleets: readonly Named[];
  readonly gateways: readonly Named[];
}

export interface ImportView {
  readonly id: Id;
  readonly projectId: Id;
  readonly createdAt: Timestamp;
  readonly source: ExportView;
}

export interface ExportChange {
  readonly isGlobal?: boolean;
  readonly addImporters?: readonly Id[];
  readonly removeImporters?: readonly Id[];
  readonly addFleets?: readonly Id[];
  readonly removeFleets?: readonly Id[];
  readonly addGateways?: readonly Id[];
  readonly removeGateways?: readonly Id[];
}

export interface Exports {
  /** Newest first. */
  list(projectId: Id): Promise<ExportView[]>;
  byName(projectId: Id, name: string): Promise<ExportView | null>;
  /** Every project except its own imports a global one at once. */
  insert(
    record: ExportRecord,
    content: {
      readonly importers: readonly Id[];
      readonly fleets: readonly Id[];
      readonly gateways: readonly Id[];
    },
    extras?: WriteExtras,
  ): Promise<Created>;
  /**
   * Once it is global, every project imports it; when it is no longer global, the importers stay.
   */
  update(id: Id, change: ExportChange, extras?: WriteExtras): Promise<void>;
  delete(id: Id, extras?: WriteExtras): Promise<void>;

  /** Newest first. */
  imports(projectId: Id): Promise<ImportView[]>;
  deleteImport(id: Id, extras?: WriteExtras): Promise<void>;
  /** Whether one of these projects imports the fleet or gateway. */
  isImported(kind: 'fleet' | 'gateway', id: Id, projectIds: readonly Id[]): Promise<boolean>;
  importedFleetIds(projectIds: readonly Id[]): Promise<Id[]>;
  importedGatewayIds(projectIds: readonly Id[]): Promise<Id[]>;
}
