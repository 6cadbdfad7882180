import type { Offer } from '@dstack/core';
import type { InstanceOrder } from '../base/instance-port.ts';
import type { OwnerTags } from '../base/owner-tags.ts';

/** The state of a simulated provider. Records do not change: each event adds another record. */
export interface SimTables {
  readonly machines: SimTable<SimMachine>;
  /** By the machine's id: why the provider reclaims it. */
  readonly interruptions: SimTable<SimInterruption>;
  /** By the machine's id: its release was requested. */
  readonly releases: SimTable<SimRecord>;
  readonly volumes: SimTable<SimVolume>;
  /** By `<volume> <machine>`. */
  readonly attachments: SimTable<SimAttachment>;
  /** By the attachment's id: its end was requested. */
  readonly detachments: SimTable<SimDetachment>;
  readonly groups: SimTable<SimGroup>;
}

export interface SimTable<T extends SimRecord> {
  readonly size: number;
  /** Returns false, and keeps the existing record, if there is one with this id. */
  add(record: T): boolean;
  get(id: string): T | null;
  all(): readonly T[];
  /** An unknown id is ignored. */
  delete(id: string): void;
  /** Calls `onChange` with the id of each record that any process adds or deletes. */
  watch(onChange: (id: string) => void): () => void;
}

export interface SimRecord {
  readonly id: string;
}

/** Whether a machine was ordered for jobs or as a gateway. */
export type SimPurpose = 'instance' | 'gateway';

export interface SimMachine extends SimRecord {
  readonly purpose: SimPurpose;
  readonly order: InstanceOrder;
  readonly offer: Offer;
  /** Times in µs; null = never. */
  readonly createdAt: number;
  readonly readyAt: number | null;
  /** Why it fails while it boots; null = it does not. */
  readonly failure: string | null;
}

export interface SimInterruption extends SimRecord {
  readonly text: string;
}

export interface SimVolume extends SimRecord {
  /** Key of the order that created it; null as `owner`. */
  readonly key: string | null;
  /** Null: the user created it. */
  readonly owner: OwnerTags | null;
  readonly region: string;
  readonly availabilityZone: string | null;
  readonly sizeGib: number;
  /** Times in µs; null = never. */
  readonly createdAt: number;
  readonly readyAt: number | null;
  /** Why it fails while it is created; null = it does not. */
  readonly failure: string | null;
}

export interface SimAttachment extends SimRecord {
  readonly volume: string;
  readonly machine: string;
  readonly readyAt: number;
  /** It can only be detached by force. */
  readonly isStuck: boolean;
}

export interface SimDetachment extends SimRecord {
  readonly endsAt: number;
}

export interface SimGroup extends SimRecord {
  /** Key of the order that created it. */
  readonly key: string;
  readonly name: string;
  readonly kind: 'placement' | 'compute';
  readonly owner: OwnerTags;
  /** Machines of a compute group. */
  readonly size: number;
}

export function memoryTables(): SimTables {
  return {
    machines: memoryTable(),
    interruptions: memoryTable(),
    releases: memoryTable(),
    volumes: memoryTable(),
    attachments: memoryTable(),
    detachments: memoryTable(),
    groups: memoryTable(),
  };
}

function memoryTable<T extends SimRecord>(): SimTable<T> {
  const records = new Map<string, T>();
  const listeners = new Set<(id: string) => void>();
  const report = (id: string) => {
    for (const onChange of listeners) onChange(id);
  };
  return {
    get size() {
      return records.size;
    },
    add(record) {
      if (records.has(record.id)) return false;
      records.set(record.id, record);
      report(record.id);
      return true;
    },
    get: (id) => records.get(id) ?? null,
    all: () => [...records.values()],
    delete(id) {
      if (records.delete(id)) report(id);
    },
    watch(onChange) {
      listeners.add(onChange);
      return () => listeners.delete(onChange);
    },
  };
}
