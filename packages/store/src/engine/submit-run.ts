import { isRunFinished, WAITING_RUN_STATUSES } from '@dstack/contract/status';
import type { Id, RunRecord } from '@dstack/core';
import { sql } from 'kysely';
import { recordChange } from '../changes/record-change.ts';
import { chooseName, lockNames } from '../choose-name.ts';
import type { StoreContext, Tx, Write } from '../context.ts';
import { refreshPools } from '../pools/refresh.ts';
import { insertInSlices, notDeleted } from '../query.ts';
import { fullQuota } from '../quotas/waiting.ts';
import { insertDependencies, lockUpstreams } from '../runs/dependencies.ts';
import { fleetTable, instanceTable, jobTable, runTable } from '../schema/work-tables.ts';
import { guardGateway } from './gateway-use.ts';
import type {
  CreateFleet,
  CreateFleetOutcome,
  SubmitOutcome,
  SubmitRun,
  WaitingLimit,
} from './types.ts';

export function submitRun(context: StoreContext, submit: SubmitRun): Promise<SubmitOutcome> {
  return context.write(async (write): Promise<SubmitOutcome> => {
    const { tx, add } = write;
    await lockNames(context, tx, 'run', submit.projectId);
    await guardGateway(context, tx, submit.gateway);
    const tooMany = submit.limit ? await exceeded(context, tx, submit.limit) : null;
    if (tooMany !== null) return { type: 'too-many-waiting', waiting: tooMany };
    const full = submit.userId ? await fullQuota(tx, submit.projectId, submit.userId) : null;
    if (full !== null) return { type: 'quota-of-waiting', ...full };
    const upstreams = await lockUpstreams(context, tx, submit.projectId, submit.upstreams ?? []);
    if ('exact' in submit.name) {
      const active = await supersede(write, submit, submit.name.exact);
      if (active) return { type: 'name-taken', active };
    }
    const name = await chooseName(tx, 'run', submit.projectId, submit.name);
    if (name === null) throw new Error(`run ${submit.projectId} was named while names were locked`);
    const { run, jobs, dependencies = [], ...extras } = submit.build(name, upstreams);
    add(extras);
    write.changed(recordChange('run', run.id, run.version));
    write.changed(...jobs.map((job) => recordChange('job', job.id, job.version)));
    await tx.insertInto('runs').values(runTable.insert(run)).execute();
    await insertDependencies(tx, run, dependencies);
    await insertInSlices(jobs.map(jobTable.insert), (slice) =>
      tx.insertInto('jobs').values(slice).execute(),
    );
    return { type: 'submitted', run, jobs };
  });
}

/**
 * How many runs of the user wait, if no more may. Until the commit, blocks other servers that submit a run of the
 * same user: two of them would count the same rows.
 */
async function exceeded(
  context: StoreContext,
  tx: Tx,
  { userId, most }: WaitingLimit,
): Promise<number | null> {
  if (context.postgres) {
    const scope = `waiting_runs_${userId}`;
    await sql`select pg_advisory_xact_lock(hashtextextended(${scope}, 0))`.execute(tx);
  }
  const { waiting } = await tx
    .selectFrom('runs')
    .select((eb) => eb.fn.countAll<number>().as('waiting'))
    .where('user_id', '=', userId)
    .where('status', 'in', WAITING_RUN_STATUSES)
    .executeTakeFirstOrThrow();
  return Number(waiting) < most ? null : Number(waiting);
}

/** Marks a finished namesake deleted; returns one that is not finished. */
async function supersede(
  { tx, add, changed }: Write,
  submit: SubmitRun,
  name: string,
): Promise<RunRecord | null> {
  const namesake = await namesakeOf(tx, submit.projectId, name);
  if (!namesake) return null;
  if (!isRunFinished(namesake.status)) return namesake;
  await tx
    .updateTable('runs')
    .set({ deleted: true, version: sql`version + 1` })
    .where('id', '=', namesake.id)
    .execute();
  changed(recordChange('run', namesake.id, namesake.version + 1));
  add({ events: [submit.superseded(namesake)] });
  return null;
}

async function namesakeOf(tx: Tx, projectId: Id, name: string): Promise<RunRecord | null> {
  const row = await tx
    .selectFrom('runs')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('name', '=', name)
    .where(notDeleted('deleted'))
    .executeTakeFirst();
  return row ? runTable.decode(row) : null;
}

export function createFleet(
  context: StoreContext,
  create: CreateFleet,
): Promise<CreateFleetOutcome> {
  return context.write(async (write): Promise<CreateFleetOutcome> => {
    const { tx, add, changed } = write;
    await lockNames(context, tx, 'fleet', create.projectId);
    const name = await chooseName(tx, 'fleet', create.projectId, create.name);
    if (name === null) return { type: 'name-taken' };
    const { fleet, instances, ...extras } = create.build(name);
    add(extras);
    changed(recordChange('fleet', fleet.id, fleet.version));
    changed(...instances.map(({ id, version }) => recordChange('instance', id, version)));
    await tx.insertInto('fleets').values(fleetTable.insert(fleet)).execute();
    await insertInSlices(instances.map(instanceTable.insert), (slice) =>
      tx.insertInto('instances').values(slice).execute(),
    );
    await refreshPools(context, write);
    return { type: 'created', fleet, instances };
  });
}
