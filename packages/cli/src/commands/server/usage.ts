import type { ServerUsage, StoredKind } from '@dstack/contract/wire';
import type { Cli } from '../../context.ts';
import { utcTime } from '../../format/time.ts';
import { bytesText } from '../../format/values.ts';
import { renderTable } from '../../terminal/table.ts';

export interface ServerUsageOptions {
  readonly json: boolean;
}

/** Kinds below this part of the database are one line. */
const SMALL = 0.005;

/** Prints what takes how much on the server, and what it will delete. */
export async function runServerUsage({ json }: ServerUsageOptions, cli: Cli): Promise<void> {
  const { client } = await cli.connectToServer();
  const usage = await client.server.usage();
  if (json) {
    cli.io.json(usage, 2);
    return;
  }
  const columns = [
    { header: 'KIND', keep: true },
    { header: 'ROWS' },
    { header: 'SIZE', keep: true },
    { header: 'KEPT' },
  ];
  cli.io.print(renderTable(columns, rowsOf(usage), { width: cli.io.width, paint: cli.io.paint }));
  cli.io.info(databaseText(usage));
  const deletion = deletionText(usage, cli.now());
  if (deletion !== null) cli.io.info(deletion);
}

function rowsOf(usage: ServerUsage): string[][] {
  const least = usage.database_bytes * SMALL;
  const large = usage.kinds.filter((kind) => kind.bytes >= least && kind.bytes > 0);
  const rest = usage.kinds.filter((kind) => !large.includes(kind));
  const bytes = rest.reduce((sum, kind) => sum + kind.bytes, 0);
  const files = [
    ['output of jobs (files)', usage.log_bytes],
    ['uploads (files)', usage.upload_bytes],
  ] as const;
  return [
    ...large.map(row),
    ...(bytes > 0 ? [['other', '', bytesText(bytes), '']] : []),
    ...files.flatMap(([name, size]) => (size === null ? [] : [[name, '', bytesText(size), '']])),
  ];
}

function row({ kind, rows, bytes, is_exact, kept_seconds }: StoredKind): string[] {
  const about = is_exact ? '' : '~';
  const kept = kept_seconds === null ? '' : daysText(kept_seconds);
  return [kind.replaceAll('_', ' '), `${about}${rows}`, `${about}${bytesText(bytes)}`, kept];
}

export function daysText(seconds: number): string {
  const days = Math.round(seconds / 86_400);
  if (days === 0) return `${Math.round(seconds / 3600)} hours`;
  return `${days} day${days === 1 ? '' : 's'}`;
}

function databaseText({
  database_bytes,
  free_bytes,
  shrinks,
  disk_free_bytes,
}: ServerUsage): string {
  const unused = free_bytes === null ? '' : `, ${bytesText(free_bytes)} of it unused`;
  const stays = free_bytes === null || shrinks ? '' : ' (the file does not become smaller)';
  const disk =
    disk_free_bytes === null ? '' : `; ${bytesText(disk_free_bytes)} are free on the disk`;
  return `The database has ${bytesText(database_bytes)}${unused}${stays}${disk}.`;
}

/** Null: nothing is due. */
export function deletionText({ deletes_from, due_runs }: ServerUsage, now: number): string | null {
  const count =
    due_runs >= 1000 ? '1000 runs or more' : `${due_runs} run${due_runs === 1 ? '' : 's'}`;
  if (deletes_from === null) {
    return due_runs === 0 ? null : `${count} past their time are being deleted.`;
  }
  const hours = Math.max(1, Math.round((Date.parse(deletes_from) - now) / 3_600_000));
  const due =
    due_runs === 0 ? 'nothing is past its time' : `${count} with their output will go then`;
  return `Old runs and logs are deleted from ${utcTime(deletes_from)} on, in ${daysText(hours * 3600)}: ${due}.`;
}
