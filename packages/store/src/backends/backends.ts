import type { BackendType, JsonObject } from '@dstack/contract/wire';
import type { Id, NewEvent } from '@dstack/core';
import type { Selectable } from 'kysely';
import { forIds, groupBy } from '../base/query.ts';
import { together } from '../base/together.ts';
import { projectChange } from '../changes/record-change.ts';
import type { StoreContext, Write } from '../context/context.ts';
import { namedInsert } from '../context/named-insert.ts';
import type { BackendRecord } from '../schema/account-records.ts';
import { backendTable } from '../schema/account-tables.ts';
import type { DB } from '../schema/db.ts';
import { backendUse } from './backend-use.ts';
import type { Backends, BackendUse, BackendWithCredentials } from './types.ts';

type BackendRow = Selectable<DB['backends']>;

export function createBackends(context: StoreContext): Backends {
  const { db } = context;
  const ofProject = together(async (projectIds) => {
    const rows = await forIds(projectIds, (slice) =>
      db.selectFrom('backends').selectAll().where('project_id', 'in', slice).execute(),
    );
    return groupBy(rows.map(backendTable.decode), ({ projectId }) => projectId);
  });
  return {
    async list(projectIds) {
      const lists = await Promise.all([...new Set(projectIds)].map(ofProject));
      return lists.flatMap((own) => own ?? []).sort(byAge);
    },
    async listWithCredentials(projectId) {
      const rows = await db
        .selectFrom('backends')
        .selectAll()
        .where('project_id', '=', projectId)
        .execute();
      return rows.flatMap((row) => withCredentialsIfReadable(context, row)).sort(byAge);
    },
    async byType(projectId, type) {
      const row = await db
        .selectFrom('backends')
        .selectAll()
        .where('project_id', '=', projectId)
        .where('type', '=', type)
        .executeTakeFirst();
      return row ? withCredentials(context, row) : null;
    },
    insert: (backend, extras) =>
      namedInsert(context, async ({ tx, add, changed }) => {
        add(extras);
        changed(projectChange(backend.projectId, 'backends'));
        const { auth, sourceAuth, ...record } = backend;
        await tx
          .insertInto('backends')
          .values({ ...backendTable.insert(record), ...seal(context, { auth, sourceAuth }) })
          .execute();
      }),
    update: (projectId, type, set, extras) =>
      context.write<'updated' | 'missing'>(async ({ tx, add, changed, abort }) => {
        add(extras);
        changed(projectChange(projectId, 'backends'));
        const { config, sourceConfig } = set;
        const result = await tx
          .updateTable('backends')
          .set({
            ...backendTable.update({ config, sourceConfig, updatedAt: context.now() }),
            ...seal(context, set),
          })
          .where('project_id', '=', projectId)
          .where('type', '=', type)
          .executeTakeFirst();
        return result.numUpdatedRows === 0n ? abort('missing') : 'updated';
      }),
    delete: (projectId, types, event) =>
      context.write((write) => deleteTypes(write, { projectId, types, event })),
    deleteUnused: (projectId, types, event) => deleteUnused(context, { projectId, types, event }),
    inUse: (projectId, type) => backendUse(db, { projectId, type, now: context.now() }),
  };
}

interface Deletion {
  readonly projectId: Id;
  readonly types: readonly BackendType[];
  readonly event: ((type: BackendType) => NewEvent) | undefined;
}

async function deleteTypes(
  { tx, add, changed }: Pick<Write, 'tx' | 'add' | 'changed'>,
  { projectId, types, event }: Deletion,
): Promise<void> {
  changed(projectChange(projectId, 'backends'));
  if (types.length === 0) return;
  const deleted = await tx
    .deleteFrom('backends')
    .where('project_id', '=', projectId)
    .where('type', 'in', [...types])
    .returning('type')
    .execute();
  if (event) add({ events: deleted.map(({ type }) => event(type as BackendType)) });
}

async function deleteUnused(context: StoreContext, deletion: Deletion): Promise<BackendUse | null> {
  return context.write(async (write): Promise<BackendUse | null> => {
    const { projectId, types } = deletion;
    for (const type of types) {
      const use = await backendUse(write.tx, { projectId, type, now: context.now() });
      if (use.instances + use.volumes + use.ending > 0) return { type, ...use };
    }
    await deleteTypes(write, deletion);
    return null;
  });
}

function byAge(a: BackendRecord, b: BackendRecord): number {
  return a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);
}

function seal(
  { cipher }: StoreContext,
  credentials: Pick<BackendWithCredentials, 'auth' | 'sourceAuth'>,
): { auth: string; source_auth: string | null } {
  const { auth, sourceAuth } = credentials;
  return {
    auth: cipher.encrypt(JSON.stringify(auth)),
    source_auth: sourceAuth === null ? null : cipher.encrypt(JSON.stringify(sourceAuth)),
  };
}

function withCredentials({ cipher }: StoreContext, row: BackendRow): BackendWithCredentials {
  return {
    ...backendTable.decode(row),
    auth: JSON.parse(cipher.decrypt(row.auth)) as JsonObject,
    sourceAuth:
      row.source_auth === null ? null : (JSON.parse(cipher.decrypt(row.source_auth)) as JsonObject),
  };
}

function withCredentialsIfReadable(
  context: StoreContext,
  row: BackendRow,
): BackendWithCredentials[] {
  try {
    return [withCredentials(context, row)];
  } catch (error) {
    context.logger.warn(
      { err: error, project: row.project_id, backend: row.type },
      'the credentials of a backend cannot be decrypted; it is left out',
    );
    return [];
  }
}
