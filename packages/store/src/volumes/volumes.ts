import type { Id } from '@dstack/core';
import { sql } from 'kysely';
import { forIds, groupBy, keyset, notDeleted } from '../base/query.ts';
import type { Updated } from '../base/writes.ts';
import { recordChange } from '../changes/record-change.ts';
import { chooseName, lockNames } from '../context/choose-name.ts';
import type { Db, StoreContext } from '../context/context.ts';
import { attachmentTable, volumeTable } from '../schema/resource-tables.ts';
import type { VolumeAttachmentView, VolumeFilter, Volumes, VolumeView } from './types.ts';
import { usesOf } from './uses.ts';

export function createVolumes(context: StoreContext): Volumes {
  const { db } = context;

  async function byNames(projectId: Id, names: readonly string[]): Promise<VolumeView[]> {
    const rows = await forIds(names, (slice) =>
      volumeRows(db)
        .where('v.project_id', '=', projectId)
        .where('v.name', 'in', slice)
        .where(notDeleted('v.deleted'))
        .execute(),
    );
    return withAttachments(db, rows);
  }

  return {
    list: (filter) => listVolumes(db, filter),
    async byId(id) {
      const rows = await volumeRows(db).where('v.id', '=', id).execute();
      return (await withAttachments(db, rows))[0] ?? null;
    },
    async viewsByIds(ids) {
      const rows = await forIds(ids, (slice) =>
        volumeRows(db).where('v.id', 'in', slice).execute(),
      );
      return withAttachments(db, rows);
    },
    byName: async (projectId, name) => (await byNames(projectId, [name]))[0] ?? null,
    byNames,
    insert: (projectId, name, build) =>
      context.write(async ({ tx, add, changed }) => {
        await lockNames(context, tx, 'volume', projectId);
        const chosen = await chooseName(tx, 'volume', projectId, name);
        if (chosen === null) return { type: 'name-taken' };
        const { volume, ...extras } = build(chosen);
        add(extras);
        changed(recordChange('volume', volume.id, volume.version));
        await tx.insertInto('volumes').values(volumeTable.insert(volume)).execute();
        return { type: 'created', volume };
      }),
    update: (id, version, set, extras) =>
      context.write<Updated>(async ({ tx, add, changed, abort }) => {
        add(extras);
        changed(recordChange('volume', id, version + 1));
        const result = await tx
          .updateTable('volumes')
          .set({ ...volumeTable.update(set), version: version + 1 })
          .where('id', '=', id)
          .where('version', '=', version)
          .executeTakeFirst();
        return result.numUpdatedRows === 0n ? abort('conflict') : 'updated';
      }),
    uses: (volumeIds) => usesOf(db, volumeIds),
    async ofJob(jobId) {
      const rows = await db
        .selectFrom('volume_uses as u')
        .innerJoin('volumes as v', 'v.id', 'u.volume_id')
        .selectAll('v')
        .where('u.job_id', '=', jobId)
        .orderBy('u.mount_num')
        .execute();
      return rows.map(volumeTable.decode);
    },
    async attachment(id) {
      const row = await db
        .selectFrom('volume_attachments')
        .selectAll()
        .where('id', '=', id)
        .executeTakeFirst();
      return row ? attachmentTable.decode(row) : null;
    },
  };
}

function volumeRows(db: Db) {
  return db
    .selectFrom('volumes as v')
    .innerJoin('projects as p', 'p.id', 'v.project_id')
    .innerJoin('users as u', 'u.id', 'v.user_id')
    .selectAll('v')
    .select(['p.name as project_name', 'u.name as user_name']);
}

async function listVolumes(db: Db, filter: VolumeFilter): Promise<VolumeView[]> {
  const order = keyset(filter.page, 'v.created_at', 'v.id');
  const { projectIds, page } = filter;
  if (projectIds?.length === 0) return [];
  let query = volumeRows(db)
    .orderBy('v.created_at', order.timeOrder)
    .orderBy('v.id', order.idOrder);
  query =
    projectIds === null
      ? query.where(notDeleted('p.deleted'))
      : query.where('v.project_id', 'in', [...projectIds]);
  if (filter.onlyActive) query = query.where(notDeleted('v.deleted'));
  query = query.where(order.condition ?? sql<boolean>`true`);
  if (page?.limit !== undefined) query = query.limit(page.limit);
  return withAttachments(db, await query.execute());
}

async function withAttachments(
  db: Db,
  rows: readonly ({ readonly project_name: string; readonly user_name: string } & object)[],
): Promise<VolumeView[]> {
  const volumes = rows.map((row) => ({ volume: volumeTable.decode(row), row }));
  const attachments = await forIds(
    volumes.map(({ volume }) => volume.id),
    (slice) =>
      db
        .selectFrom('volume_attachments as a')
        .innerJoin('instances as i', 'i.id', 'a.instance_id')
        .innerJoin('fleets as f', 'f.id', 'i.fleet_id')
        .selectAll('a')
        .select(['i.name as instance_name', 'i.instance_num', 'f.name as fleet_name'])
        .where('a.volume_id', 'in', slice)
        .orderBy('i.name')
        .execute(),
  );
  const byVolume = groupBy(
    attachments.map(
      (row): VolumeAttachmentView => ({
        ...attachmentTable.decode(row),
        instanceName: row.instance_name,
        instanceNum: row.instance_num,
        fleetName: row.fleet_name,
      }),
    ),
    (attachment) => attachment.volumeId,
  );
  return volumes.map(({ volume, row }) => ({
    volume,
    projectName: row.project_name,
    userName: row.user_name,
    attachments: byVolume.get(volume.id) ?? [],
  }));
}
