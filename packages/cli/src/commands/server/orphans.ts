import type { Orphan } from '@dstack/contract/wire';
import type { Cli } from '../../context.ts';
import { relativeTime } from '../../format/time.ts';
import { renderTable } from '../../terminal/table.ts';

export interface OrphansOptions {
  readonly json: boolean;
}

/** Prints the resources in clouds that have the server's tag and no record. */
export async function runServerOrphans({ json }: OrphansOptions, cli: Cli): Promise<void> {
  const { client } = await cli.connectToServer();
  const report = await client.server.listOrphans();
  if (json) {
    cli.io.json(report, 2);
    return;
  }
  for (const { project_name, backend, error } of report.sweeps) {
    if (error) cli.io.warn(`Backend ${backend} of project ${project_name} was not swept: ${error}`);
  }
  if (report.orphans.length === 0) {
    cli.io.info('No orphans are known.');
    return;
  }
  const columns = [
    { header: 'ID', keep: true },
    { header: 'KIND' },
    { header: 'BACKEND', keep: true },
    { header: 'CREATED FOR', optional: 2 },
    { header: 'FOUND', optional: 1 },
    { header: 'STATUS' },
  ];
  const rows = report.orphans.map((orphan) => row(orphan, cli.now()));
  cli.io.print(renderTable(columns, rows, { width: cli.io.width, paint: cli.io.paint }));
}

function row(orphan: Orphan, now: number): string[] {
  const { project, fleet, instance } = orphan.created_for;
  return [
    orphan.external_id,
    orphan.kind,
    orphan.region === null ? orphan.backend : `${orphan.backend} (${orphan.region})`,
    [project, instance ?? fleet].filter((name) => name !== null).join('/') || '-',
    relativeTime(orphan.first_seen_at, now),
    statusOf(orphan),
  ];
}

function statusOf({ confirmed, terminating, reason }: Orphan): string {
  const status = terminating ? 'terminating' : confirmed ? 'orphaned' : 'suspected';
  return reason === null ? status : `${status}: ${reason}`;
}
