/** Events about the backends of a project. */
import type { BackendType, FieldChange } from '@dstack/contract/wire';
import {
  changedKeys,
  type EventActor,
  fieldChanges,
  type NewEvent,
  projectTarget,
  recordEvent,
} from '@dstack/core';
import type { ProjectRecord } from '@dstack/store';
import type { SplitConfig } from './secrets.ts';

/** `actor` null: the server, by its `config.yml`. */
export interface BackendChange {
  readonly project: Pick<ProjectRecord, 'id' | 'name'>;
  readonly type: BackendType;
  readonly actor: EventActor | null;
}

export function backendCreated(change: BackendChange): NewEvent {
  const { type: backend, actor } = change;
  return recordEvent({ action: 'backend.created', data: { backend }, ...about(change), actor });
}

export function backendDeleted(change: BackendChange): NewEvent {
  const { type: backend, actor } = change;
  return recordEvent({ action: 'backend.deleted', data: { backend }, ...about(change), actor });
}

/** Null: nothing has changed. Credentials are named, and never shown. */
export function backendUpdated(
  change: BackendChange,
  before: SplitConfig,
  after: SplitConfig,
): NewEvent | null {
  const secret = changedKeys(before.auth, after.auth);
  const open = changedKeys(before.config, after.config).filter((key) => !secret.includes(key));
  const fields = [...open, ...secret];
  if (fields.length === 0) return null;
  const hidden = secret.map((field): FieldChange => ({ field, hidden: 'secret' }));
  const changes = [...fieldChanges(open, before.config, after.config), ...hidden];
  const { type: backend, actor } = change;
  return recordEvent({
    action: 'backend.updated',
    data: { backend, fields, changes },
    ...{ ...about(change), actor },
  });
}

const about = ({ project }: BackendChange) => ({ targets: [projectTarget(project)] });
