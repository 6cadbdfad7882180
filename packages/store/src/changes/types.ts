import type { Id } from '@dstack/core';

/**
 * Kinds of records whose changes are announced, and two that are progress of a job: `pull` of its image,
 * `metrics`. A change of a project or a user names the part that changed.
 */
export const CHANGE_KINDS = [
  'run',
  'job',
  'instance',
  'fleet',
  'volume',
  'gateway',
  'project',
  'user',
  'event',
  'pull',
  'metrics',
] as const;

export type ChangeKind = (typeof CHANGE_KINDS)[number];

export type ProjectPart =
  | 'settings'
  | 'members'
  | 'backends'
  | 'secrets'
  | 'tokens'
  | 'exports'
  | 'imports'
  | 'quotas';

export type UserPart = 'settings' | 'keys' | 'sessions';

/** A record that a client may see has changed, or begun or ceased to exist. */
export interface RecordChange {
  readonly kind: ChangeKind;
  /** The id of the record; that of the job for `pull` and `metrics`. */
  readonly id: Id;
  /** The version of the record after the change; null: it has none, or something beside the record has changed. */
  readonly version: number | null;
  /** Null: not a project or a user. */
  readonly part: ProjectPart | UserPart | null;
}

export interface Changes {
  /**
   * Calls `onChanges` after each commit of any server that changed records, and `onMissed` when some
   * calls may have been lost (the connection to PostgreSQL broke). Listeners must not throw. Returns
   * the function that removes them.
   */
  subscribe(
    onChanges: (changes: readonly RecordChange[]) => void,
    onMissed: () => void,
  ): () => void;
}

/** A user (token, keys, role, account), or all users of a project, whose access may have changed. */
export interface AccessSubject {
  readonly kind: 'user' | 'project';
  readonly id: Id;
}
