import type { ProjectRole } from '@dstack/contract/wire';
import type { Id } from '@dstack/core';
import { forIds, insertInSlices, notDeleted } from '../base/query.ts';
import { projectChange } from '../changes/record-change.ts';
import type { Db, StoreContext, Tx, Write } from '../context/context.ts';
import { memberTable, userTable } from '../schema/account-tables.ts';
import type { MembersEvent, ProjectMember, Projects } from './types.ts';

type Members = Pick<
  Projects,
  'idsOfMember' | 'members' | 'memberships' | 'role' | 'setMembers' | 'addMembers' | 'removeMembers'
>;

interface NewMember {
  readonly userId: Id;
  readonly role: ProjectRole;
}

export function createMembers(context: StoreContext): Members {
  const { db } = context;
  return {
    async idsOfMember(userId) {
      const rows = await db
        .selectFrom('members as m')
        .innerJoin('projects as p', 'p.id', 'm.project_id')
        .select('p.id')
        .where('m.user_id', '=', userId)
        .where(notDeleted('p.deleted'))
        .execute();
      return rows.map((row) => row.id);
    },
    members: (projectId) => membersOf(db, projectId),
    async memberships(userId, projectIds) {
      const rows = await forIds(projectIds, (slice) =>
        db
          .selectFrom('members')
          .selectAll()
          .where('user_id', '=', userId)
          .where('project_id', 'in', slice)
          .execute(),
      );
      return rows.map(memberTable.decode);
    },
    async role(projectId, userId) {
      const row = await db
        .selectFrom('members')
        .select('role')
        .where('project_id', '=', projectId)
        .where('user_id', '=', userId)
        .executeTakeFirst();
      return (row?.role as ProjectRole | undefined) ?? null;
    },
    setMembers: (projectId, members, event) =>
      context.write(async (write) => {
        const { tx } = write;
        await announce(write, projectId, event);
        await tx.deleteFrom('members').where('project_id', '=', projectId).execute();
        await upsert(tx, projectId, members, 0);
      }),
    addMembers: (projectId, members, event) =>
      context.write(async (write) => {
        const { tx } = write;
        await announce(write, projectId, event);
        const last = await tx
          .selectFrom('members')
          .select((eb) => eb.fn.max('member_num').as('num'))
          .where('project_id', '=', projectId)
          .executeTakeFirst();
        await upsert(tx, projectId, members, (last?.num ?? -1) + 1);
      }),
    removeMembers: (projectId, userIds, event) =>
      context.write(async (write) => {
        const { tx } = write;
        await announce(write, projectId, event);
        if (userIds.length === 0) return;
        await tx
          .deleteFrom('members')
          .where('project_id', '=', projectId)
          .where('user_id', 'in', [...userIds])
          .execute();
      }),
  };
}

async function membersOf(db: Db | Tx, projectId: Id): Promise<ProjectMember[]> {
  const rows = await db
    .selectFrom('members as m')
    .innerJoin('users as u', 'u.id', 'm.user_id')
    .selectAll('u')
    .select('m.role as member_role')
    .where('m.project_id', '=', projectId)
    .orderBy('m.member_num')
    .execute();
  return rows.map((row) => ({
    user: userTable.decode(row),
    role: row.member_role as ProjectRole,
  }));
}

/** Before the members are changed. */
async function announce(
  { tx, add, changed, accessChanged }: Write,
  projectId: Id,
  event: MembersEvent | undefined,
): Promise<void> {
  if (event) add({ events: [event(await membersOf(tx, projectId))] });
  changed(projectChange(projectId, 'members'));
  accessChanged([{ kind: 'project', id: projectId }]);
}

/** An existing member keeps the position in the list. */
async function upsert(
  tx: Tx,
  projectId: Id,
  members: readonly NewMember[],
  firstNum: number,
): Promise<void> {
  const rows = members.map(({ userId, role }, index) => ({
    project_id: projectId,
    user_id: userId,
    role,
    member_num: firstNum + index,
  }));
  await insertInSlices(rows, (slice) =>
    tx
      .insertInto('members')
      .values(slice)
      .onConflict((conflict) =>
        conflict
          .columns(['project_id', 'user_id'])
          .doUpdateSet((eb) => ({ role: eb.ref('excluded.role') })),
      )
      .execute(),
  );
}
