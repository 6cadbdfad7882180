import { isRunFinished } from '@dstack/contract/status';
import { arrayOf, type Id, type RunRecord } from '@dstack/core';
import { sql } from 'kysely';
import { insertArray } from '../arrays/array-rows.ts';
import { markMembersDeleted, reservingArray, runsInTheWay } from '../arrays/member-names.ts';
import { waitingByUser } from '../arrays/waiting-room.ts';
import { insertInSlices, notDeleted } from '../base/query.ts';
import type { NameChoice } from '../base/writes.ts';
import { recordChange } from '../changes/record-change.ts';
import { chooseName, lockNames } from '../context/choose-name.ts';
import type { StoreContext, Tx, Write } from '../context/context.ts';
import { refreshPools } from '../pools/refresh.ts';
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
    // Nothing of a refused submission is kept: ended runs of these names are marked deleted on the way.
    const refuse = (active: RunRecord): never => write.abort({ type: 'name-taken', active });
    await lockNames(context, tx, 'run', submit.projectId);
    await guardGateway(context, tx, submit.gateway);
    const adding = submit.adding ?? 1;
    const tooMany = submit.limit ? await exceeded(context, tx, submit.limit, adding) : null;
    if (tooMany !== null) return { type: 'too-many-waiting', waiting: tooMany };
    const full = submit.userId
      ? await fullQuota(tx, submit.projectId, submit.userId, adding)
      : null;
    if (full !== null) return { type: 'quota-of-waiting', ...full };
    const upstreams = await lockUpstreams(context, tx, submit.projectId, submit.upstreams ?? []);
    if ('exact' in submit.name) {
      const active = await supersede(write, submit, submit.name.exact);
      if (active) refuse(active);
    }
    // An exact name is free now: names are locked.
    let name =
      'exact' in submit.name ? submit.name.exact : await nameOf(tx, submit.projectId, submit.name);
    const reserving = await reservingArray(tx, submit.projectId, name);
    if (reserving !== null && 'exact' in submit.name) refuse(reserving);
    if (reserving !== null) name = await nameOf(tx, submit.projectId, { base: name });
    const { run, jobs, dependencies = [], array, ...extras } = submit.build(name, upstreams);
    const inTheWay = await supersedeMembers(write, submit, run);
    if (inTheWay !== null) refuse(inTheWay);
    add(extras);
    write.changed(recordChange('run', run.id, run.version));
    write.changed(...jobs.map((job) => recordChange('job', job.id, job.version)));
    await tx.insertInto('runs').values(runTable.insert(run)).execute();
    await insertDependencies(tx, run, dependencies);
    if (array !== undefined) await insertArray(tx, run, array);
    const owned = jobs.map((job) => ({ ...jobTable.insert(job), user_id: run.userId }));
    await insertInSlices(owned, (slice) => tx.insertInto('jobs').values(slice).execute());
    return { type: 'submitted', run, jobs };
  });
}

async function nameOf(tx: Tx, projectId: Id, choice: NameChoice): Promise<string> {
  const name = await chooseName(tx, 'run', projectId, choice);
  if (name === null) throw new Error(`run ${projectId} was named while names were locked`);
  return name;
}

/**
 * How many runs of the user wait, if no more may. Until the commit, blocks other servers that submit a run of the
 * same user: two of them would count the same rows.
 */
async function exceeded(
  context: StoreContext,
  tx: Tx,
  { userId, most }: WaitingLimit,
  adding: number,
): Promise<number | null> {
  if (context.postgres) {
    const scope = `waiting_runs_${userId}`;
    await sql`select pg_advisory_xact_lock(hashtextextended(${scope}, 0))`.execute(tx);
  }
  const waiting = (await waitingByUser(tx, sql`r.user_id = ${userId}`)).get(userId) ?? 0;
  return waiting + adding <= most ? null : waiting;
}

/** Marks a finished namesake deleted; returns one that is not finished. */
async function supersede(
  { tx, add, changed }: Writes,
  submit: SubmitRun,
  name: string,
): Promise<RunRecord | null> {
  const namesake = await namesakeOf(tx, submit.projectId, name);
  if (!namesake) return null;
  if (!isRunFinished(namesake.status)) return namesake;
  await markDeleted({ tx, add, changed }, submit, namesake);
  return null;
}

type Writes = Pick<Write, 'tx' | 'add' | 'changed'>;

async function markDeleted(
  { tx, add, changed }: Writes,
  submit: SubmitRun,
  run: RunRecord,
): Promise<void> {
  await tx
    .updateTable('runs')
    .set({ deleted: true, version: sql`version + 1` })
    .where('id', '=', run.id)
    .execute();
  if (arrayOf(run.spec) !== null) await markMembersDeleted({ tx, changed }, [run.id]);
  changed(recordChange('run', run.id, run.version + 1));
  add({ events: [submit.superseded(run)] });
}

/** The same for the names of all members of a new array. */
async function supersedeMembers(
  write: Writes,
  submit: SubmitRun,
  run: RunRecord,
): Promise<RunRecord | null> {
  const found = await runsInTheWay(write.tx, run);
  const active = found.find(({ status }) => !isRunFinished(status));
  if (active !== undefined) return active;
  for (const one of found) await markDeleted(write, submit, one);
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
