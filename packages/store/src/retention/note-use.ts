import type { Id } from '@dstack/core';
import type { StoreContext } from '../context/context.ts';

/** A use is stored at most this often (µs): far less than what an upload is kept for. */
const PRECISION = 3600 * 1_000_000;

interface Upload {
  readonly id: Id;
  readonly created_at: number;
  readonly used_at: number | null;
}

/** A user is about to submit a run with this upload: its age counts from here. */
export async function noteUse(
  { db, now }: Pick<StoreContext, 'db' | 'now'>,
  table: 'codes' | 'file_archives',
  { id, created_at, used_at }: Upload,
): Promise<void> {
  const at = now();
  if (Math.abs(at - (used_at ?? created_at)) < PRECISION) return;
  await db.updateTable(table).set({ used_at: at }).where('id', '=', id).execute();
}
