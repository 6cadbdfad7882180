import type { EventTargetKind, EventTargetRecord, Id, NewEvent, Timestamp } from '@dstack/core';
import type { Page } from '../base/page.ts';

export interface EventView {
  readonly id: Id;
  /** One of `EVENT_ACTIONS`, or of a newer server on the same database. */
  readonly action: string;
  /** Shaped by the action. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly outcome: string;
  readonly message: string;
  /** Strictly rising per server. */
  readonly recordedAt: Timestamp;
  readonly actor: EventActorView | null;
  readonly targets: readonly EventViewTarget[];
}

/** `name` is the original one, also after a deletion. */
export interface EventActorView {
  readonly id: Id;
  readonly name: string;
  readonly deleted: boolean;
  /** The token of a program that acted for the user; null = the user's own credentials. */
  readonly token: { readonly id: Id; readonly name: string } | null;
  /** Null: not known. */
  readonly address: string | null;
}

export interface EventViewTarget extends EventTargetRecord {
  readonly projectName: string | null;
  readonly projectDeleted: boolean;
}

/**
 * All conditions on targets (`targets`, `within`, `targetTypes`) must hold for one and the same
 * target of the event; the event is then returned with all its targets.
 */
export interface EventFilter {
  /** Null: an admin, who sees everything. */
  readonly visibleTo: { readonly userId: Id; readonly projectIds: readonly Id[] } | null;
  readonly targets?: { readonly type: EventTargetKind; readonly ids: readonly Id[] } | null;
  readonly within?: {
    readonly kind: 'project' | 'fleet' | 'run' | 'gateway';
    readonly ids: readonly Id[];
  } | null;
  readonly targetTypes?: readonly EventTargetKind[] | null;
  /** User ids; null in the list = the system. */
  readonly actors?: readonly (Id | null)[] | null;
  readonly page?: Page;
}

export interface Events {
  list(filter: EventFilter): Promise<EventView[]>;
  /** In the given order; without those that have been deleted. */
  byIds(ids: readonly Id[]): Promise<EventView[]>;
  /**
   * Called after each commit that wrote events, of this server or another on the database (rarely
   * not: if the connection broke). Returns a function that removes the listener.
   */
  onWritten(listener: () => void): () => void;
  /** Writes an event without a change of a record. */
  write(events: readonly NewEvent[]): Promise<void>;
}
