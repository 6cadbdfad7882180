import { UNFINISHED_JOB_STATUSES } from '@dstack/contract/status';
import type { Id, Signal } from '@dstack/core';
import { sql } from 'kysely';
import { notDeleted } from '../base/query.ts';
import type { Db } from '../context/context.ts';

/**
 * Everything that waits for a host, in one query: a thousand hosts that connect at the same time must
 * not each read the work of all others.
 */
export async function hostDependants(db: Db, hostId: Id): Promise<Signal[]> {
  const instances = sql`select id from instances where host_id = ${hostId}`;
  const volumes = sql`select id from volumes where host_id = ${hostId}`;
  const jobs = sql`select id from jobs where instance_id in (${instances})`;
  const attachments = sql`select id from volume_attachments
    where instance_id in (${instances}) or volume_id in (${volumes})`;
  const { rows } = await sql<Signal>`
    select distinct 'run' as kind, j.run_id as id
      from instances as i join jobs as j on j.instance_id = i.id
      where i.host_id = ${hostId} and j.status in (${sql.join(UNFINISHED_JOB_STATUSES)})
    union all
    select 'instance' as kind, id from instances
      where host_id = ${hostId} and ${notDeleted('deleted')}
    union all
    select 'gateway' as kind, id from gateways
      where ${notDeleted('deleted')} and scale_out_attempt > 0 and backend = 'remote'
        and (project_id, region) in (
          select f.project_id, f.name from fleets as f join instances as i on i.fleet_id = f.id
            where i.host_id = ${hostId})
    union all
    select 'intent' as kind, key as id from intents
      where state = 'announced' and subject_id in (
        ${instances} union all ${jobs} union all ${volumes} union all ${attachments})
    union all
    select 'intent' as kind, key as id from intents
      where state = 'announced' and kind = 'job.remove' and ${removedFrom(hostId)}`.execute(db);
  return rows;
}

/** A job that is removed from a host has left its instance: only the intent names the host. */
const removedFrom = (hostId: Id) => sql`payload ->> 'hostId' = ${hostId}`;
