import { SECOND, type Timestamp } from '@dstack/core';
import type { StepDeps } from './step.ts';

/** A blob that was uploaded within this time (µs) may not have its row yet. */
const YOUNG_BLOB = 86_400 * SECOND;

/** Blobs whose uploads were deleted. One that cannot be deleted does not keep the others. */
export async function deleteBlobs(
  { store: { retention }, blobs, log }: StepDeps,
  limit: number,
  now: Timestamp,
): Promise<number> {
  const due = await retention.pendingBlobs(now, limit);
  const done: string[] = [];
  for (const sha256 of due) {
    if (await isDone(sha256)) done.push(sha256);
    else await retention.postponeBlob(sha256, now + YOUNG_BLOB);
  }
  await retention.deleted('blob', done);
  return due.length;

  async function isDone(sha256: string): Promise<boolean> {
    if (await retention.isBlobUsed(sha256)) return true;
    try {
      return await blobs.delete(sha256, now - YOUNG_BLOB);
    } catch (error) {
      log.warn(
        { err: error, sha256 },
        'an upload could not be deleted; it is tried again in a day',
      );
      return false;
    }
  }
}
