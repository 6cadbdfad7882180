/**
 * The names of deleted users and projects, which free the old ones; in the form of dstack 0.22.5.
 */
import type { StoreContext } from './context.ts';

export function deletedName(context: StoreContext): string {
  const seconds = Math.floor(context.now() / 1_000_000);
  return `_deleted_${seconds}_${context.newId().replaceAll('-', '').slice(0, 8)}`;
}
