import type { JobRecord } from '@dstack/core';
import type { VersionedKey } from '../base/key-list.ts';
import type { RecordCache } from '../caches/record-cache.ts';
import type { Db, Tx } from '../context/context.ts';
import { jobTable } from '../schema/work-tables.ts';

/** The columns to read of a job whose record may be in the cache. */
export interface JobKey extends VersionedKey {
  /** Rises by itself, without a version. */
  readonly inactivity_secs: number | null;
}

export const JOB_KEY = ['id', 'version', 'inactivity_secs'] as const;

/** In the order of the keys. */
export async function jobsByKeys(
  db: Db | Tx,
  records: RecordCache,
  keys: readonly JobKey[],
): Promise<JobRecord[]> {
  const inactivity = new Map(keys.map((key) => [key.id, key.inactivity_secs]));
  const jobs = await records.read(db, jobTable, keys);
  return jobs.map((job) => {
    const inactivitySecs = inactivity.get(job.id) ?? null;
    return job.inactivitySecs === inactivitySecs ? job : { ...job, inactivitySecs };
  });
}
