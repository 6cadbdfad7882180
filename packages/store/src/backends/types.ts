import type { BackendType, JsonObject } from '@dstack/contract/wire';
import type { Id, NewEvent } from '@dstack/core';
import type { Created, WriteExtras } from '../base/writes.ts';
import type { BackendRecord } from '../schema/account-records.ts';

export interface BackendCredentials {
  readonly auth: JsonObject;
  readonly sourceAuth: JsonObject | null;
}

export type BackendWithCredentials = BackendRecord & BackendCredentials;

/** The objects that prevent the deletion of a backend. */
export interface BackendUse {
  readonly type: BackendType;
  /** Live ones. */
  readonly instances: number;
  readonly volumes: number;
  /** Machines that have been ending for a short time, and orders of machines without an answer. */
  readonly ending: number;
}

export interface Backends {
  /** Without credentials, in the order they were added. */
  list(projectIds: readonly Id[]): Promise<BackendRecord[]>;
  /**
   * With credentials. Backends whose credentials cannot be decrypted are omitted and logged, so
   * that one broken backend does not break the project's plans.
   */
  listWithCredentials(projectId: Id): Promise<BackendWithCredentials[]>;
  byType(projectId: Id, type: BackendType): Promise<BackendWithCredentials | null>;
  insert(backend: BackendWithCredentials, extras?: WriteExtras): Promise<Created>;
  update(
    projectId: Id,
    type: BackendType,
    set: Pick<BackendWithCredentials, 'config' | 'sourceConfig' | 'auth' | 'sourceAuth'>,
    extras?: WriteExtras,
  ): Promise<'updated' | 'missing'>;
  /** Deletes them even if instances and volumes live in them. */
  delete(
    projectId: Id,
    types: readonly BackendType[],
    event?: (type: BackendType) => NewEvent,
  ): Promise<void>;
  /**
   * All or none; unknown ones are ignored, without an event. Returns the first that is in use, else null.
   */
  deleteUnused(
    projectId: Id,
    types: readonly BackendType[],
    event?: (type: BackendType) => NewEvent,
  ): Promise<BackendUse | null>;
  /** Returns the objects that prevent its deletion. */
  inUse(projectId: Id, type: BackendType): Promise<Omit<BackendUse, 'type'>>;
}
