/** The jobs that mount volumes. */

import { UNFINISHED_JOB_STATUSES } from '@dstack/contract/status';
import type {
  Change,
  Id,
  JobVolume,
  MountableVolume,
  RunRecord,
  VolumeObservationRecord,
  VolumeUse,
  VolumeUser,
} from '@dstack/core';
import { forIds, groupBy, insertInSlices, notDeleted } from '../base/query.ts';
import type { Db, Tx } from '../context/context.ts';
import { attachmentTable, volumeTable, volumeUseTable } from '../schema/resource-tables.ts';
import { jobTable } from '../schema/work-tables.ts';
import { volumeObservationsOf } from './observations.ts';

/** Most runs mount none, and nothing is asked for them. */
export function mountsVolumes(spec: RunRecord['spec']): boolean {
  return (spec.configuration.volumes ?? []).some((mount) => 'name' in mount);
}

/** Releases come before the ends of jobs: a decision may do both. */
export async function changeVolumeUses(tx: Tx, changes: readonly Change[]): Promise<void> {
  const uses = changes.flatMap((change) =>
    change.type === 'volume-use.insert' ? [volumeUseTable.insert(change.use)] : [],
  );
  await insertInSlices(uses, (slice) => tx.insertInto('volume_uses').values(slice).execute());
  for (const change of changes) {
    if (change.type === 'volume-use.release') {
      await tx
        .updateTable('volume_uses')
        .set({ released_at: change.at })
        .where('job_id', '=', change.jobId)
        .execute();
    }
  }
  const left = changes.flatMap((change) =>
    change.type === 'volume-use.delete' ? [change.jobId] : [],
  );
  if (left.length > 0) {
    await tx.deleteFrom('volume_uses').where('job_id', 'in', left).execute();
  }
}

/** The volumes that these jobs mount, with their attachments. */
export async function jobVolumes(tx: Tx, jobIds: readonly Id[]): Promise<JobVolume[]> {
  const rows = await forIds(jobIds, (slice) =>
    tx
      .selectFrom('volume_uses as u')
      .innerJoin('volumes as v', 'v.id', 'u.volume_id')
      .innerJoin('jobs as j', 'j.id', 'u.job_id')
      .selectAll('u')
      .select(['v.name as volume_name', 'j.instance_id'])
      .where('u.job_id', 'in', slice)
      .orderBy('j.replica_num')
      .orderBy('j.job_num')
      .orderBy('u.mount_num')
      .execute(),
  );
  if (rows.length === 0) return [];
  const volumeIds = [...new Set(rows.map((row) => row.volume_id))];
  const attachments = await attachmentsOf(tx, volumeIds);
  const uses = await usesOf(tx, volumeIds);
  return rows.map((row) => {
    const { job_id: jobId, volume_id: volumeId, instance_id: instanceId } = row;
    const isHere = (one: { readonly volumeId: Id; readonly instanceId: Id | null }) =>
      one.volumeId === volumeId && instanceId !== null && one.instanceId === instanceId;
    return {
      ...volumeUseTable.decode(row),
      name: row.volume_name,
      attachment: attachments.find(isHere) ?? null,
      hasOthers: uses.some(
        ({ job, releasedAt, volumeId: id }) =>
          job.id !== jobId &&
          releasedAt === null &&
          isHere({ volumeId: id, instanceId: job.instanceId }),
      ),
    };
  });
}

export async function attachmentsOf(db: Db | Tx, volumeIds: readonly Id[]) {
  const rows = await forIds(volumeIds, (slice) =>
    db
      .selectFrom('volume_attachments')
      .selectAll()
      .where('volume_id', 'in', slice)
      .orderBy('status_changed_at')
      .orderBy('id')
      .execute(),
  );
  return rows.map(attachmentTable.decode);
}

/** By unfinished jobs, oldest first. */
export async function usesOf(db: Db | Tx, volumeIds: readonly Id[]): Promise<VolumeUse[]> {
  const rows = await forIds(volumeIds, (slice) =>
    db
      .selectFrom('volume_uses as u')
      .innerJoin('jobs as j', 'j.id', 'u.job_id')
      .innerJoin('runs as r', 'r.id', 'j.run_id')
      .selectAll('j')
      .select(['u.volume_id', 'u.job_id', 'u.mount_num', 'u.released_at', 'r.name as run_name'])
      .where('u.volume_id', 'in', slice)
      .where('j.status', 'in', UNFINISHED_JOB_STATUSES)
      .orderBy('j.submitted_at')
      .orderBy('j.id')
      .execute(),
  );
  return rows.map((row) => ({
    ...volumeUseTable.decode(row),
    job: jobTable.decode(row),
    runName: row.run_name,
  }));
}

/** The volumes of these projects as placement sees them, not deleted. */
export async function mountableVolumes(
  tx: Tx,
  projectIds: readonly Id[],
): Promise<MountableVolume[]> {
  const rows = await forIds(projectIds, (slice) =>
    tx
      .selectFrom('volumes')
      .selectAll()
      .where('project_id', 'in', slice)
      .where(notDeleted('deleted'))
      .execute(),
  );
  if (rows.length === 0) return [];
  const volumes = rows.map(volumeTable.decode);
  const byId = new Map(volumes.map((volume) => [volume.id, volume]));
  const ids = [...byId.keys()];
  const attachments = groupBy(await attachmentsOf(tx, ids), (one) => one.volumeId);
  const uses = groupBy(await usesOf(tx, ids), (one) => one.volumeId);
  const observations = new Map(
    (await volumeObservationsOf(tx, ids)).map((one) => [one.volumeId, one]),
  );
  return volumes.map((volume) => ({
    volume,
    attachments: attachments.get(volume.id) ?? [],
    users: (uses.get(volume.id) ?? []).map(userOf),
    ...reportOf(observations.get(volume.id)),
  }));
}

function reportOf(
  record: VolumeObservationRecord | undefined,
): Pick<MountableVolume, 'missing' | 'failed'> {
  const { state } = record?.observation ?? {};
  if (record === undefined || state !== 'missing') {
    return { missing: null, failed: state === 'failed' };
  }
  const { since, checkedAt } = record;
  return { missing: { since, checkedAt }, failed: false };
}

function userOf({ job, runName }: VolumeUse): VolumeUser {
  const { runId: id, projectId, priority, submittedAt, instanceId } = job;
  return { instanceId, run: { id, name: runName, projectId, priority, submittedAt } };
}
