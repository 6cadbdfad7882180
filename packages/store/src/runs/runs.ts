import {
  ALIVE_RUN_STATUSES,
  isRunFinished,
  UNFINISHED_RUN_STATUSES,
} from '@dstack/contract/status';
import { arrayOf, type Id, type NewEvent, type RunRecord, type RunStatus } from '@dstack/core';
import { sql } from 'kysely';
import { arraysByIds } from '../arrays/array-rows.ts';
import { deleteSomeMembers, markMembersDeleted } from '../arrays/member-names.ts';
import { SHOWN_MEMBERS } from '../arrays/shown-members.ts';
import { forIds, notDeleted } from '../base/query.ts';
import { recordChange } from '../changes/record-change.ts';
import type { StoreContext } from '../context/context.ts';
import { requestLogDeletion } from '../retention/log-places.ts';
import { runTable } from '../schema/work-tables.ts';
import { dependenciesOf } from './dependencies.ts';
import { keptBack } from './kept-back.ts';
import { inProjects, listRuns } from './list-runs.ts';
import { createRunCounts } from './run-counts.ts';
import { toViews, withNames } from './run-views.ts';
import type { Runs } from './types.ts';

export function createRuns(context: StoreContext): Runs {
  const { db } = context;
  return {
    list: (filter) => listRuns(context, filter),
    async byId(id) {
      const keys = await withNames(db.selectFrom('runs as r').where('r.id', '=', id)).execute();
      return (await toViews(context, keys, { jobs: true, members: SHOWN_MEMBERS.one }))[0] ?? null;
    },
    async viewsByIds(ids) {
      const keys = await forIds(ids, (slice) =>
        withNames(db.selectFrom('runs as r').where('r.id', 'in', slice)).execute(),
      );
      return toViews(context, keys, {
        ...{ jobs: true, submissionsLimit: 1, members: SHOWN_MEMBERS.list },
      });
    },
    async byName(projectId, name) {
      const run = db
        .selectFrom('runs as r')
        .where('r.project_id', '=', projectId)
        .where('r.name', '=', name)
        .where(notDeleted('r.deleted'));
      const keys = await withNames(run).execute();
      return (await toViews(context, keys, { jobs: true, members: SHOWN_MEMBERS.one }))[0] ?? null;
    },
    async byNames(projectId, names) {
      const rows = await forIds(names, (slice) =>
        db
          .selectFrom('runs')
          .selectAll()
          .where('project_id', '=', projectId)
          .where('name', 'in', slice)
          .where(notDeleted('deleted'))
          .execute(),
      );
      return rows.map(runTable.decode);
    },
    async active(projectId) {
      const rows = await db
        .selectFrom('runs')
        .selectAll()
        .where('project_id', '=', projectId)
        .where('status', 'in', UNFINISHED_RUN_STATUSES)
        .orderBy('submitted_at')
        .execute();
      return rows.map(runTable.decode);
    },
    async unfinishedNames(projectId, names) {
      const rows = await forIds(names, (slice) =>
        db
          .selectFrom('runs')
          .select('name')
          .where('project_id', '=', projectId)
          .where('name', 'in', slice)
          .where(notDeleted('deleted'))
          .where('status', 'in', UNFINISHED_RUN_STATUSES)
          .execute(),
      );
      return rows.map(({ name }) => name);
    },
    dependencies: (id) => dependenciesOf(db, id),
    keptBack: (projectId, limit) => keptBack(db, projectId, limit),
    async members(arrayId) {
      const rows = await db
        .selectFrom('runs')
        .select(['array_index', 'status'])
        .where('array_id', '=', arrayId)
        .execute();
      return rows.map((row) => ({ index: row.array_index ?? 0, status: row.status }));
    },
    arrayOf: async (id) => (await arraysByIds(db, [id])).get(id) ?? null,
    deleteMembers: (arrayId, after, limit) => deleteSomeMembers(context, arrayId, after, limit),
    delete: (projectId, names, event) => deleteRuns(context, projectId, names, event),
    ...createRunCounts(context),
    async activeCounts(projectIds) {
      if (projectIds?.length === 0) return [];
      const rows = await db
        .selectFrom('runs as r')
        .where(inProjects(projectIds))
        .where('r.status', 'in', UNFINISHED_RUN_STATUSES)
        .where('r.array_id', 'is', null)
        .select('r.status')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .groupBy('r.status')
        .execute();
      return rows.map(({ status, count }) => ({
        status: status as RunStatus,
        count: Number(count),
      }));
    },
    async onGateway(gatewayId) {
      const rows = await db
        .selectFrom('runs')
        .selectAll()
        .where('gateway_id', '=', gatewayId)
        .where(notDeleted('deleted'))
        .where('status', 'in', ALIVE_RUN_STATUSES)
        .execute();
      return rows.map(runTable.decode);
    },
    onChangedElsewhere: (listener) =>
      context.bus.onEventsElsewhere((runId) => {
        if (runId !== null) listener(runId);
      }),
    async lastSubmittedAt(projectId) {
      const row = await db
        .selectFrom('jobs')
        .select((eb) => eb.fn.max('submitted_at').as('at'))
        .where('project_id', '=', projectId)
        .executeTakeFirst();
      return row?.at ?? null;
    },
  };
}

function deleteRuns(
  context: StoreContext,
  projectId: Id,
  names: readonly string[],
  event: (run: RunRecord) => NewEvent,
): ReturnType<Runs['delete']> {
  return context.write(async ({ tx, add, changed, abort }) => {
    const rows = await forIds(names, (slice) =>
      tx
        .updateTable('runs')
        .set({ deleted: true, version: sql`version + 1` })
        .where('project_id', '=', projectId)
        .where('name', 'in', slice)
        .where(notDeleted('deleted'))
        .returningAll()
        .execute(),
    );
    const runs = rows.map(runTable.decode);
    const active = runs.filter((run) => !isRunFinished(run.status));
    if (active.length > 0) abort({ type: 'active', names: active.map((run) => run.name) });
    const ids = runs.map((run) => run.id);
    const arrays = runs.filter(({ spec }) => arrayOf(spec) !== null).map(({ id }) => id);
    await requestLogDeletion(tx, 'run_id', ids, context.now());
    await requestLogDeletion(tx, 'array_id', arrays, context.now());
    await markMembersDeleted({ tx, changed }, arrays);
    changed(...runs.map((run) => recordChange('run', run.id, run.version)));
    add({ events: runs.map(event) });
    return { type: 'deleted', runs };
  });
}
