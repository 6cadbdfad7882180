import type { ProjectRole } from '@dstack/contract/wire';
import type { Id } from '@dstack/core';
import type { AccessSubject } from '../changes/types.ts';

export interface Access {
  /**
   * Called after each commit, of any server, that may have revoked access. Null: some calls may have
   * been lost (the connection to PostgreSQL broke), so all access must be checked again. Listeners
   * must not throw. Returns the function that removes the listener.
   */
  onChanged(listener: (subject: AccessSubject | null) => void): () => void;
  /**
   * Whether the text is or was a token of this installation: of a user (even deleted or inactive),
   * a service token, or one of a job. Used to decide what must not be passed on, not for
   * authentication.
   */
  isToken(text: string): Promise<boolean>;
  /**
   * Public keys, generated and registered, of the active users who have one of these roles in the
   * project or are global admins; sorted by user and key.
   */
  keysOf(projectId: Id, roles: readonly ProjectRole[]): Promise<UserKey[]>;
}

export interface UserKey {
  /** The user's name. */
  readonly user: string;
  /** One OpenSSH line. */
  readonly key: string;
}
