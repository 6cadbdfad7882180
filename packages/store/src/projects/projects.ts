import type { Id } from '@dstack/core';
import { sql } from 'kysely';
import { forIds, lower, notDeleted } from '../base/query.ts';
import { together } from '../base/together.ts';
import { projectChange } from '../changes/record-change.ts';
import type { StoreContext, Tx } from '../context/context.ts';
import { deletedName } from '../context/deleted-name.ts';
import { namedInsert } from '../context/named-insert.ts';
import { refreshPools } from '../pools/refresh.ts';
import type { ProjectRecord } from '../schema/account-records.ts';
import { projectTable } from '../schema/account-tables.ts';
import { projectAccess } from './access.ts';
import { countProjects, selectProjects, selectProjectsWithoutFleets } from './list-projects.ts';
import { createMembers } from './members.ts';
import { projectsInUse } from './projects-in-use.ts';
import type { DeleteProjectsOutcome, NewProject, Projects } from './types.ts';

export function createProjects(context: StoreContext): Projects {
  const { db } = context;

  async function byIds(ids: readonly Id[]): Promise<ProjectRecord[]> {
    const rows = await forIds(ids, (slice) =>
      db.selectFrom('projects').selectAll().where('id', 'in', slice).execute(),
    );
    return rows.map(projectTable.decode);
  }

  async function byNames(names: readonly string[]): Promise<ProjectRecord[]> {
    const rows = await forIds(lower(names), (slice) =>
      db
        .selectFrom('projects')
        .selectAll()
        .where(sql<string>`lower(name)`, 'in', slice)
        .where(notDeleted('deleted'))
        .execute(),
    );
    return rows.map(projectTable.decode);
  }

  return {
    insert: (project, extras) =>
      namedInsert(context, async (write) => {
        write.add(extras);
        write.changed(projectChange(project.id, 'members'));
        await insertProject(context, write.tx, project);
        await refreshPools(context, write);
      }),
    byId: together(async (ids) => new Map((await byIds(ids)).map((one) => [one.id, one]))),
    byIds,
    byName: async (name) => (await byNames([name]))[0] ?? null,
    byNames,
    access: (name, userId) => projectAccess(db, name, userId),
    list: (filter) => selectProjects(db, filter),
    count: (filter) => countProjects(db, filter),
    withoutFleets: (userId) => selectProjectsWithoutFleets(db, userId),
    async ownedCount(userId) {
      const row = await db
        .selectFrom('projects')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('owner_id', '=', userId)
        .where(notDeleted('deleted'))
        .executeTakeFirstOrThrow();
      return Number(row.count);
    },
    async privateKey(id) {
      const row = await db
        .selectFrom('projects')
        .select('ssh_private_key')
        .where('id', '=', id)
        .executeTakeFirst();
      return row ? context.cipher.decrypt(row.ssh_private_key) : null;
    },
    update: (id, set, extras) =>
      context.write(async ({ tx, add, changed, accessChanged }) => {
        add(extras);
        changed(projectChange(id, 'settings'));
        if (set.isPublic !== undefined) accessChanged([{ kind: 'project', id }]);
        await tx
          .updateTable('projects')
          .set(projectTable.update(set))
          .where('id', '=', id)
          .execute();
      }),
    inUse: (ids) => projectsInUse(db, ids),
    delete: (ids, event) =>
      context.write(async (write): Promise<DeleteProjectsOutcome> => {
        const { tx, add, changed, accessChanged } = write;
        await lockProjects(context, tx, ids);
        const uses = await projectsInUse(tx, ids);
        if (uses.length > 0) return { type: 'in-use', uses };
        for (const id of ids) {
          const isDeleted = await deleteProject(context, tx, id);
          accessChanged([{ kind: 'project', id }]);
          changed(projectChange(id, 'members'));
          const told = isDeleted ? event?.(id) : undefined;
          if (told) add({ events: [told] });
        }
        await refreshPools(context, write);
        return { type: 'deleted' };
      }),
    ...createMembers(context),
  };
}

async function insertProject(context: StoreContext, tx: Tx, project: NewProject): Promise<void> {
  const { sshPrivateKey, ...record } = project;
  await tx
    .insertInto('projects')
    .values({
      ...projectTable.insert({
        ...record,
        defaultGatewayId: null,
        deleted: false,
        originalName: null,
      }),
      ssh_private_key: context.cipher.encrypt(sshPrivateKey),
    })
    .execute();
  await tx
    .insertInto('members')
    .values({ project_id: project.id, user_id: project.ownerId, role: 'admin', member_num: 0 })
    .execute();
  const globals = await tx
    .selectFrom('exports')
    .select('id')
    .where('is_global', '=', true)
    .execute();
  if (globals.length === 0) return;
  await tx
    .insertInto('imports')
    .values(
      globals.map(({ id }) => ({
        id: context.newId(),
        project_id: project.id,
        export_id: id,
        created_at: context.now(),
      })),
    )
    .execute();
}

/** Conflicts with `lockNames`, under which records are added to a project. */
async function lockProjects(context: StoreContext, tx: Tx, ids: readonly Id[]): Promise<void> {
  if (!context.postgres || ids.length === 0) return;
  // In one order, so that two deletions do not wait for each other in a circle.
  await tx
    .selectFrom('projects')
    .select('id')
    .where('id', 'in', [...ids])
    .orderBy('id')
    .forUpdate()
    .execute();
}

/** False if it was deleted already. */
async function deleteProject(context: StoreContext, tx: Tx, id: Id): Promise<boolean> {
  const result = await tx
    .updateTable('projects')
    .set((eb) => ({
      original_name: eb.ref('name'),
      name: deletedName(context),
      deleted: true,
    }))
    .where('id', '=', id)
    .where(notDeleted('deleted'))
    .executeTakeFirst();
  await tx.deleteFrom('exports').where('project_id', '=', id).execute();
  await tx.deleteFrom('imports').where('project_id', '=', id).execute();
  return result.numUpdatedRows === 1n;
}
