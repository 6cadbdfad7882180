import type { ProjectRole } from '@dstack/contract/wire';
import type { Id } from '@dstack/core';

/** Whose access may have changed: a user's token, keys, role or account, or who may enter a project. */
export interface AccessSubject {
  readonly kind: 'user' | 'project';
  readonly id: Id;
}

export interface Access {
  /**
   * Called after each commit that may have taken access from somebody, of this server or another on
   * the database. Null: some calls may be missing (the connection to PostgreSQL broke), so all access
   * must be looked at again. Listeners must not throw. Answers a function that ends the listening.
   */
  onChanged(listener: (subject: AccessSubject | null) => void): () => void;
  /**
   * Whether the text is a token of this installation, or was one: of a user, also a deleted or
   * inactive one, of a program, or of a job. Tells what must not be handed on, not what may sign in.
   */
  isToken(text: string): Promise<boolean>;
  /**
   * Public keys of the active users who have one of these roles in the project, or are global admins:
   * the pair that the server made and those that they have registered, by user and key.
   */
  keysOf(projectId: Id, roles: readonly ProjectRole[]): Promise<UserKey[]>;
}

export interface UserKey {
  /** The user's name. */
  readonly user: string;
  /** One OpenSSH line. */
  readonly key: string;
}
