import type { Id } from '@dstack/core';
import type { WriteExtras } from '../base/writes.ts';
import type { SecretRecord } from '../schema/account-records.ts';

export interface Secrets {
  /** Without values, newest first. */
  list(projectId: Id): Promise<SecretRecord[]>;
  byName(
    projectId: Id,
    name: string,
  ): Promise<{ readonly secret: SecretRecord; readonly value: string } | null>;
  /** All values of a project, for interpolation and masking. */
  values(projectId: Id): Promise<Readonly<Record<string, string>>>;
  /**
   * Creates or replaces; `extras` receives which of the two happened. `unchanged` writes nothing.
   */
  put(
    secret: {
      readonly id: Id;
      readonly projectId: Id;
      readonly name: string;
      readonly value: string;
    },
    extras?: (outcome: 'created' | 'updated', secret: SecretRecord) => WriteExtras,
  ): Promise<{
    readonly outcome: 'created' | 'updated' | 'unchanged';
    readonly secret: SecretRecord;
  }>;
  /** If a name is unknown, nothing is deleted. */
  delete(
    projectId: Id,
    names: readonly string[],
    extras?: (deleted: readonly SecretRecord[]) => WriteExtras,
  ): Promise<
    { readonly type: 'deleted' } | { readonly type: 'unknown'; readonly names: readonly string[] }
  >;
}
