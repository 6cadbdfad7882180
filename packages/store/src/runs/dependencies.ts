/** The runs that others wait for. */
import { FINISHED_RUN_STATUSES } from '@dstack/contract/status';
import {
  type Change,
  type DependencyRecord,
  endOutcome,
  type Id,
  type RunRecord,
  type UpstreamRun,
} from '@dstack/core';
import { forIds, notDeleted } from '../base/query.ts';
import type { Db, StoreContext, Tx, Write } from '../context/context.ts';
import { runTable } from '../schema/work-tables.ts';

/**
 * The present runs of these names, by name. Until the commit none of them ends: otherwise its end would
 * not reach the run that is about to depend on it.
 */
export async function lockUpstreams(
  { postgres }: Pick<StoreContext, 'postgres'>,
  tx: Tx,
  projectId: Id,
  names: readonly string[],
): Promise<ReadonlyMap<string, RunRecord>> {
  const rows = await forIds(names, (slice) => {
    const query = tx
      .selectFrom('runs')
      .selectAll()
      .where('project_id', '=', projectId)
      .where('name', 'in', slice)
      .where(notDeleted('deleted'))
      .orderBy('id');
    return (postgres ? query.forShare() : query).execute();
  });
  return new Map(rows.map((row) => [row.name, runTable.decode(row)]));
}

export async function insertDependencies(
  tx: Tx,
  { id }: Pick<RunRecord, 'id'>,
  dependencies: readonly DependencyRecord[],
): Promise<void> {
  if (dependencies.length === 0) return;
  const rows = dependencies.map(({ upstreamId, name, on, keep, outcome }, position) => ({
    ...{ run_id: id, position, upstream_id: upstreamId, name, condition: on, outcome },
    // SQLite has no booleans.
    keep: encoded(keep),
  }));
  await tx.insertInto('run_dependencies').values(rows).execute();
}

const encoded = (value: boolean) => Number(value) as unknown as boolean;

/** In the order of its configuration. An outcome that an older server has not copied is that of the run. */
export async function dependenciesOf(db: Db | Tx, runId: Id): Promise<DependencyRecord[]> {
  const rows = await db
    .selectFrom('run_dependencies as d')
    .leftJoin('runs as u', 'u.id', 'd.upstream_id')
    .selectAll('d')
    .select('u.status as upstream_status')
    .where('d.run_id', '=', runId)
    .orderBy('d.position')
    .execute();
  return rows.map((row) => {
    const { upstream_id: upstreamId, name, condition: on, upstream_status: status } = row;
    const hasEnded = status !== null && FINISHED_RUN_STATUSES.includes(status);
    const outcome = row.outcome ?? (hasEnded ? endOutcome(status) : null);
    return { upstreamId, name, on, keep: Boolean(row.keep), outcome };
  });
}

/** One that waits with `keep` for what cannot come true ends as soon as another that is not kept cannot either. */
const AWAITING = ['open', 'unmet'] as const;

/** Copies the outcome to the runs that wait for this one, and lets them look. */
export async function settleDependants(
  { tx, add }: Pick<Write, 'tx' | 'add'>,
  { id, outcome }: Extract<Change, { type: 'run.outcome' }>,
  now: number,
): Promise<void> {
  const rows = await tx
    .updateTable('run_dependencies')
    .set({ outcome })
    .where('upstream_id', '=', id)
    .where('outcome', 'is', null)
    .returning('run_id')
    .execute();
  const ids = rows.map((row) => row.run_id).sort();
  await forIds(ids, async (slice) => {
    // Raises the version: a pass that read the time before must not overwrite it.
    await tx
      .updateTable('runs')
      .set((eb) => ({ next_pass_at: now, version: eb('version', '+', 1) }))
      .where('id', 'in', slice)
      .where('status', '=', 'pending')
      .where('dependency_state', 'in', AWAITING)
      .execute();
    return [];
  });
  add({ signals: ids.map((runId) => ({ kind: 'run', id: runId })) });
}

/** Runs that still wait although the run has ended that they wait for: an older server has ended it. */
export async function overlookedDependants(db: Db): Promise<Id[]> {
  const rows = await db
    .selectFrom('run_dependencies as d')
    .innerJoin('runs as u', 'u.id', 'd.upstream_id')
    .innerJoin('runs as r', 'r.id', 'd.run_id')
    .select('d.run_id')
    .distinct()
    .where('d.outcome', 'is', null)
    .where('u.status', 'in', FINISHED_RUN_STATUSES)
    .where('r.dependency_state', 'in', AWAITING)
    .where('r.status', '=', 'pending')
    .execute();
  return rows.map((row) => row.run_id);
}

/** The most runs of a chain that an explanation names, and the longest way to them. */
const CHAIN = { runs: 100, links: 10 } as const;

/** The runs that these dependencies name, those that they wait for in turn, and so on. */
export async function upstreamsOf(
  tx: Tx,
  dependencies: readonly DependencyRecord[],
): Promise<UpstreamRun[]> {
  const found = new Map<Id, UpstreamRun>();
  let next = dependencies;
  for (let link = 0; link < CHAIN.links && next.length > 0; link++) {
    const ids = next.map(({ upstreamId }) => upstreamId).filter((id) => !found.has(id));
    const rows = await forIds(ids.slice(0, CHAIN.runs - found.size), (slice) =>
      tx.selectFrom('runs').selectAll().where('id', 'in', slice).execute(),
    );
    next = [];
    for (const row of rows) {
      const run = runTable.decode(row);
      const own = run.dependencyState === null ? [] : await dependenciesOf(tx, run.id);
      found.set(run.id, { run, dependencies: own });
      next = [...next, ...own];
    }
  }
  return [...found.values()];
}
