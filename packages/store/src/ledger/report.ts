/** Reads what jobs and machines have cost in a period. */
import { setImmediate } from 'node:timers/promises';
import type { Id, LedgerAmounts, PricedInterval } from '@dstack/core';
import { sql } from 'kysely';
import type { StoreContext, Tx } from '../context/context.ts';
import { ledgerRows } from './ledger-rows.ts';
import { openIntervals } from './open-intervals.ts';
import { type LedgerPlace, LedgerSums, MICROS_OF_DAY } from './sums.ts';
import type { LedgerQuestion, LedgerReport } from './types.ts';

/** Days that are read at once: a query on SQLite blocks the server. */
const DAYS = 7;

/**
 * Whole days are read as sums, of runs and of the days in which the period begins or ends from the parts of intervals. All
 * is read at one moment: an interval is open in it or entered, never both.
 */
export async function ledgerReport(
  context: StoreContext,
  question: LedgerQuestion,
): Promise<LedgerReport> {
  const sums = new LedgerSums(question);
  if (question.projectIds?.length === 0) return { rows: [], used: sums.used, idle: sums.idle };
  const days = daysOf(question);
  const read = async (tx: Tx) => {
    const owners = await readOpen(tx, question, sums);
    for (const slice of question.by === 'run' ? [] : slicesOf(days)) {
      await readDays(tx, question, slice, owners, sums);
      await setImmediate();
    }
    return { owners, last: await lastPart(context, tx) };
  };
  const readParts = async (db: Tx, { owners, last }: Awaited<ReturnType<typeof read>>) => {
    const reading = { question, last, owners, sums };
    for (const day of days.partial) {
      await cutDay(db, reading, day);
      await setImmediate();
    }
    for (const slice of question.by === 'run' ? slicesOf(days) : []) {
      await runsOfDays(db, reading, slice);
      await setImmediate();
    }
  };
  if (context.postgres) {
    await context.read(async (tx) => readParts(tx, await read(tx)));
  } else {
    // Its only connection is given back between the queries; what is entered meanwhile is left out.
    await readParts(context.db as Tx, await context.read(read));
  }
  return { rows: await ledgerRows(context, question, sums), used: sums.used, idle: sums.idle };
}

interface Days {
  readonly first: number;
  readonly last: number;
  readonly partial: readonly number[];
}

/** `first` to `last` are whole; there are none if `first` is later. */
function daysOf({ since, until, now }: LedgerQuestion): Days {
  const begin = Math.floor(since / MICROS_OF_DAY);
  const end = Math.floor((until - 1) / MICROS_OF_DAY);
  const isFirstWhole = since === begin * MICROS_OF_DAY;
  // Nothing is entered for later than now.
  const isLastWhole = until === (end + 1) * MICROS_OF_DAY || until >= now;
  if (begin === end) {
    const isWhole = isFirstWhole && isLastWhole;
    return isWhole
      ? { first: begin, last: begin, partial: [] }
      : { first: begin + 1, last: begin, partial: [begin] };
  }
  return {
    first: isFirstWhole ? begin : begin + 1,
    last: isLastWhole ? end : end - 1,
    partial: [...(isFirstWhole ? [] : [begin]), ...(isLastWhole ? [] : [end])],
  };
}

function slicesOf({ first, last }: Pick<Days, 'first' | 'last'>): (readonly [number, number])[] {
  const slices: (readonly [number, number])[] = [];
  for (let day = first; day <= last; day += DAYS) {
    slices.push([day, Math.min(last, day + DAYS - 1)]);
  }
  return slices;
}

/** Fleets by the project that owns them, as far as they are of the projects asked for. */
type Owners = Map<Id, Id>;

async function readOpen(tx: Tx, question: LedgerQuestion, sums: LedgerSums): Promise<Owners> {
  const { projectIds, since, until, now } = question;
  const { jobs, instances } = await openIntervals(tx, projectIds, now);
  const owners = await ownersOf(tx, question);
  for (const { fleetId, projectId } of instances) owners.set(fleetId, projectId);
  for (const interval of [...instances, ...jobs]) {
    sums.addInterval(interval, owners.get(interval.fleetId) ?? null, { since, until });
  }
  return owners;
}

/** The machines that are entered in the period. */
async function ownersOf(tx: Tx, { projectIds, since, until }: LedgerQuestion): Promise<Owners> {
  const owners: Owners = new Map();
  const period = {
    first: Math.floor(since / MICROS_OF_DAY),
    last: Math.floor(until / MICROS_OF_DAY),
  };
  for (const [from, to] of slicesOf(period)) {
    let query = tx
      .selectFrom('ledger_days')
      .select(['fleet_id', 'project_id'])
      .distinct()
      .where('user_id', '=', '')
      .where('day', '>=', from)
      .where('day', '<=', to);
    if (projectIds !== null) query = query.where('project_id', 'in', [...projectIds]);
    for (const row of await query.execute()) owners.set(row.fleet_id, row.project_id);
    await setImmediate();
  }
  return owners;
}

const SUMS = sql<Record<'ms' | 'gpu_ms' | 'cost' | 'unpriced_ms', number>>`sum(ms) as ms,
  sum(gpu_ms) as gpu_ms, sum(cost) as cost, sum(unpriced_ms) as unpriced_ms`;

interface SumRow {
  readonly project_id: Id;
  readonly fleet_id: Id;
  readonly fleet_name: string;
  readonly user_id: Id;
  readonly gpu: string;
  readonly tags: string;
  readonly day: number;
  readonly run_id?: Id;
  readonly run_name?: string;
  readonly ms: number | string;
  readonly gpu_ms: number | string;
  readonly cost: number | string;
  readonly unpriced_ms: number | string;
}

/** Which rows of a table concern these projects: theirs, and those of jobs on their machines. */
function concerns({ projectIds }: LedgerQuestion, owners: Owners) {
  if (projectIds === null) return sql`true`;
  const own = projectIds.length === 0 ? sql`false` : sql`project_id in (${sql.join(projectIds)})`;
  return owners.size === 0 ? own : sql`(${own} or fleet_id in (${sql.join([...owners.keys()])}))`;
}

async function readDays(
  tx: Tx,
  question: LedgerQuestion,
  [first, last]: readonly [number, number],
  owners: Owners,
  sums: LedgerSums,
): Promise<void> {
  const day = question.by === 'day' ? sql`day` : sql`0`;
  const tags = question.by === 'tag' ? sql`tags` : sql`''`;
  const { rows } =
    await sql<SumRow>`select project_id, fleet_id, min(fleet_name) as fleet_name, user_id, gpu,
      ${day} as day, ${tags} as tags, ${SUMS}
    from ledger_days where day between ${first} and ${last} and ${concerns(question, owners)}
    group by 1, 2, 4, 5, 6, 7`.execute(tx);
  for (const row of rows) addRow(sums, row, owners);
}

interface Reading {
  readonly question: LedgerQuestion;
  /** Parts that were entered later are left out. */
  readonly last: number | null;
  readonly owners: Owners;
  readonly sums: LedgerSums;
}

const isEntered = ({ last }: Reading) => (last === null ? sql`true` : sql`rowid <= ${last}`);

async function runsOfDays(
  tx: Tx,
  reading: Reading,
  [from, to]: readonly [number, number],
): Promise<void> {
  const { question, owners, sums } = reading;
  const { rows } =
    await sql<SumRow>`select project_id, fleet_id, min(fleet_name) as fleet_name, user_id, gpu,
      0 as day, '' as tags, run_id, min(run_name) as run_name, ${SUMS}
    from ledger_parts where day between ${from} and ${to} and ${concerns(question, owners)} and ${isEntered(reading)}
    group by 1, 2, 4, 5, 8`.execute(tx);
  for (const row of rows) addRow(sums, row, owners);
}

/** A day in which the period begins or ends. */
async function cutDay(tx: Tx, reading: Reading, day: number): Promise<void> {
  const { question, owners, sums } = reading;
  const { since, until } = question;
  const { rows } = await sql<PartRow>`select * from ledger_parts
    where day = ${day} and ${concerns(question, owners)} and ${isEntered(reading)}`.execute(tx);
  for (const row of rows) {
    const period = {
      since: Math.max(since, Number(row.since)),
      until: Math.min(until, Number(row.until)),
    };
    const interval = intervalOf(row);
    sums.addInterval(interval, owners.get(interval.fleetId) ?? null, period);
  }
}

interface PartRow {
  readonly [column: string]: string | number | null;
}

function intervalOf(row: PartRow): PricedInterval {
  const text = (name: string): string => String(row[name] ?? '');
  const number = (name: string): number => Number(row[name] ?? 0);
  const run = { id: text('run_id'), name: text('run_name'), userId: text('user_id') };
  return {
    ...{ subjectId: text('subject_id'), projectId: text('project_id') },
    run: run.id === '' ? null : { ...run, tags: tagsOf(text('tags')) },
    ...{ fleetId: text('fleet_id'), fleetName: text('fleet_name') },
    ...{ instanceId: text('instance_id'), price: row.price == null ? null : number('price') },
    ...{ blocks: number('blocks'), totalBlocks: number('total_blocks') },
    ...{ gpus: number('gpus'), gpu: text('gpu') },
    ...{ since: number('began_at'), until: number('ended_at') },
  };
}

const tagsOf = (text: string): Record<string, string> => (text === '' ? {} : JSON.parse(text));

function addRow(sums: LedgerSums, row: SumRow, owners: Owners): void {
  const place: LedgerPlace = {
    ...{ projectId: row.project_id, fleetId: row.fleet_id, fleetName: row.fleet_name },
    ...{ gpu: row.gpu, day: Number(row.day), tags: tagsOf(row.tags) },
    run:
      row.user_id === ''
        ? null
        : { id: row.run_id ?? '', name: row.run_name ?? '', userId: row.user_id },
  };
  sums.add(place, amountsOf(row), owners.get(row.fleet_id) ?? null);
}

export function amountsOf(
  row: Pick<SumRow, 'ms' | 'gpu_ms' | 'cost' | 'unpriced_ms'>,
): LedgerAmounts {
  return {
    ...{ ms: Number(row.ms), gpuMs: Number(row.gpu_ms) },
    ...{ cost: Number(row.cost), unpricedMs: Number(row.unpriced_ms) },
  };
}

/** SQLite numbers rows as they are written. PostgreSQL reads at one moment, however long it takes. */
async function lastPart({ postgres }: StoreContext, tx: Tx): Promise<number | null> {
  if (postgres) return null;
  const { rows } = await sql<{
    last: number | null;
  }>`select max(rowid) as last from ledger_parts`.execute(tx);
  return rows[0]?.last ?? 0;
}
