import { sql } from 'kysely';
import { createIndex, createTable, type Migration, type MigrationContext } from './ddl.ts';

const KEY = {
  day: 'int!',
  project_id: 'text!',
  fleet_id: 'text!',
  fleet_name: 'text!',
  user_id: 'text!',
  gpu: 'text!',
  tags: 'text!',
  tags_key: 'text!',
} as const;

const SUMS = { ms: 'big!', gpu_ms: 'big!', cost: 'big!', unpriced_ms: 'big!' } as const;

/**
 * The costs of jobs and machines. Jobs that have ended before are entered by what is stored about them: the machine of
 * each, from its assignment to its end. Those that run need no entry: they have one when they end. A job that ends on a
 * server of an older version is not entered.
 */
export const ledger: Migration = {
  name: 'ledger',
  isAdditive: true,
  async up(c) {
    await createTable(c, 'ledger_parts', {
      id: 'text!',
      ...KEY,
      subject_id: 'text!',
      instance_id: 'text!',
      run_id: 'text!',
      run_name: 'text!',
      price: 'big',
      blocks: 'int!',
      total_blocks: 'int!',
      gpus: 'int!',
      began_at: 'big!',
      ended_at: 'big!',
      since: 'big!',
      until: 'big!',
      ...SUMS,
    });
    await createTable(c, 'ledger_days', { ...KEY, ...SUMS }, [
      'day',
      'project_id',
      'fleet_id',
      'user_id',
      'gpu',
      'tags_key',
    ]);
    await createIndex(c, 'ledger_parts', 'day, project_id');
    await createIndex(c, 'ledger_parts', 'run_id', { where: "run_id <> ''" });
    await createIndex(c, 'ledger_days', 'fleet_id, day');
    await enterEnded(c);
    // Last: servers of an older version that still run cannot use the table from here to the end.
    await sql`alter table instances add column priced_since bigint`.execute(c.db);
  },
};

const DAY = 86_400_000_000;
/** Longer ones are mistakes of a clock. */
const LONGEST = 3 * 366 * DAY;

/** Rounded for each day: the parts of what has ended before need not add up to anything. */
async function enterEnded(c: MigrationContext): Promise<void> {
  await sql`insert into ledger_parts (id, day, project_id, fleet_id, fleet_name, user_id, gpu, tags, tags_key,
      subject_id, instance_id, run_id, run_name, price, blocks, total_blocks, gpus, began_at, ended_at, since,
      until, ms, gpu_ms, cost, unpriced_ms)
    with recursive ended as (${endedJobs()} union all ${endedInstances()}),
    parts as (
      select ended.*, cast(floor(began_at / ${sql.lit(DAY)}) as integer) as day from ended
        where ended_at > began_at and ended_at - began_at < ${sql.lit(LONGEST)}
          and total_blocks > 0 and blocks between 0 and total_blocks and price between 0 and 100000
      union all
      select subject_id, run_id, run_name, project_id, user_id, fleet_id, fleet_name, instance_id, began_at, ended_at,
        price, blocks, total_blocks, gpus, gpu, day + 1 from parts where (day + 1) * ${sql.lit(DAY)} < ended_at
    ), timed as (
      select parts.*,
        case when day * ${sql.lit(DAY)} > began_at then day * ${sql.lit(DAY)} else began_at end as since,
        case when (day + 1) * ${sql.lit(DAY)} < ended_at then (day + 1) * ${sql.lit(DAY)} else ended_at end as until
      from parts
    )
    select subject_id || ':' || began_at || ':' || day, day, project_id, fleet_id, fleet_name, user_id, gpu, '', '', subject_id, instance_id,
      run_id, run_name, case when price > 0 then cast(round(price * 1000000) as bigint) end, blocks, total_blocks,
      gpus, began_at, ended_at, since, until, (until - since) / 1000, (until - since) / 1000 * gpus * blocks / total_blocks,
      cast(round(price * (until - since) / 3600.0 * blocks / total_blocks) as bigint),
      case when price > 0 then 0 else (until - since) / 1000 end
    from timed`.execute(c.db);
  await sql`insert into ledger_days (day, project_id, fleet_id, fleet_name, user_id, gpu, tags, tags_key,
      ms, gpu_ms, cost, unpriced_ms)
    select day, project_id, fleet_id, min(fleet_name), user_id, gpu, '', '',
      sum(ms), sum(gpu_ms), sum(cost), sum(unpriced_ms)
    from ledger_parts group by day, project_id, fleet_id, user_id, gpu`.execute(c.db);
}

/** A run keeps no fleet while it waits for its next start or another attempt; the one of these jobs is not known. */
const endedJobs = () => sql`
  select j.id as subject_id, r.id as run_id, r.name as run_name, r.project_id, r.user_id,
    coalesce(f.id, '') as fleet_id, coalesce(f.name, '') as fleet_name, '' as instance_id, j.provisioned_at as began_at, j.finished_at as ended_at,
    coalesce(cast(j.provisioning_data ->> 'price' as double precision), 0) as price,
    coalesce(cast(j.runtime_data -> 'offer' ->> 'blocks' as integer), 1) as blocks,
    coalesce(cast(j.runtime_data -> 'offer' ->> 'total_blocks' as integer), 1) as total_blocks,
    ${gpusOf("j.provisioning_data -> 'instance_type'")}
  from jobs j join runs r on r.id = j.run_id left join fleets f on f.id = r.fleet_id
  where j.provisioned_at is not null and j.provisioning_data is not null and j.instance_id is null`;

const endedInstances = () => sql`
  select i.id, '', '', i.project_id, '', f.id, f.name, i.id, i.started_at, i.finished_at, i.price,
    coalesce(i.total_blocks, 1), coalesce(i.total_blocks, 1), ${gpusOf("i.offer -> 'instance'")}
  from instances i join fleets f on f.id = i.fleet_id
  where i.started_at is not null and i.finished_at is not null`;

/** The number and the name of the GPUs of a machine. */
const gpusOf = (machine: string) =>
  sql.raw(`coalesce(json_array_length(${machine} -> 'resources' -> 'gpus'), 0) as gpus,
    coalesce(${machine} -> 'resources' -> 'gpus' -> 0 ->> 'name', '') as gpu`);
