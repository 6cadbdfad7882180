import type { Id } from '@dstack/core';
import { sql } from 'kysely';
import { StoreError } from '../base/errors.ts';
import { notDeleted } from '../base/query.ts';
import type { NameChoice } from '../base/writes.ts';
import type { StoreContext, Tx } from './context.ts';

const TABLES = { run: 'runs', fleet: 'fleets', volume: 'volumes', gateway: 'gateways' } as const;

/** Things that users name; a name is used once per project. */
export type NamedKind = keyof typeof TABLES;

/** Word lists are far longer, so this many collisions mean that `propose` repeats itself. */
const MAX_PROPOSALS = 10_000;

/**
 * Until the commit, blocks other servers that name a thing of this kind in this project, or delete
 * the project. Throws `store_project_deleted` if the project was deleted since the caller read it.
 */
export async function lockNames(
  context: Pick<StoreContext, 'postgres'>,
  tx: Tx,
  kind: NamedKind,
  projectId: Id,
): Promise<void> {
  let project = tx.selectFrom('projects').select('deleted').where('id', '=', projectId);
  if (context.postgres) {
    const scope = `${kind}_names_${projectId}`;
    await sql`select pg_advisory_xact_lock(hashtextextended(${scope}, 0))`.execute(tx);
    project = project.forKeyShare();
  }
  if (!(await project.executeTakeFirst())?.deleted) return;
  throw new StoreError(
    'store_project_deleted',
    `The project of a new ${kind} was deleted while it was made.`,
    'Make it in another project.',
  );
}

/** Null: a thing that is not deleted has the exact name. */
export async function chooseName(
  tx: Tx,
  kind: NamedKind,
  projectId: Id,
  choice: NameChoice,
): Promise<string | null> {
  if ('exact' in choice) {
    return (await isTaken(tx, kind, projectId, choice.exact)) ? null : choice.exact;
  }
  if ('base' in choice) return lowestFree(tx, kind, projectId, choice.base);
  for (let tries = 0; tries < MAX_PROPOSALS; tries++) {
    const name = choice.propose();
    if (!(await isTaken(tx, kind, projectId, name))) return name;
  }
  throw new StoreError(
    'store_contended',
    `No free ${kind} name was found in ${MAX_PROPOSALS} proposals.`,
    `Give the ${kind} a name in its configuration.`,
  );
}

async function isTaken(tx: Tx, kind: NamedKind, projectId: Id, name: string): Promise<boolean> {
  const row = await tx
    .selectFrom(TABLES[kind])
    .select('id')
    .where('project_id', '=', projectId)
    .where('name', '=', name)
    .where(notDeleted('deleted'))
    .executeTakeFirst();
  return row !== undefined;
}

async function lowestFree(tx: Tx, kind: NamedKind, projectId: Id, base: string): Promise<string> {
  const prefix = `${base}-`;
  const rows = await tx
    .selectFrom(TABLES[kind])
    .select('name')
    .where('project_id', '=', projectId)
    // Not by range: ranges depend on how the database orders text.
    .where(sql`substr(name, 1, ${prefix.length})`, '=', prefix)
    .where(notDeleted('deleted'))
    .execute();
  const taken = new Set(rows.map((row) => row.name));
  let k = 1;
  while (taken.has(`${base}-${k}`)) k++;
  return `${base}-${k}`;
}
