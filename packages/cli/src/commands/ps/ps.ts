import { MOST_MEMBERS } from '@dstack/contract/array-members';
import { isRunFinished } from '@dstack/contract/status';
import type { Run } from '@dstack/contract/wire';
import type { Command } from 'commander';
import { applyHint } from '../../configuration/load-file.ts';
import type { Cli, Connection } from '../../context.ts';
import { integerOption, olderFormatOption } from '../../options.ts';
import { showList } from '../../output/listing.ts';
import { addListOptions, type ListOptions, listOptions } from '../../output/output-options.ts';
import { renderAddresses } from '../../runs/address-table.ts';
import { renderRunTable } from '../../runs/run-table.ts';
import { renderTraffic } from '../../runs/traffic-table.ts';
import { isKeptWaiting, waitReason } from '../../runs/wait-reasons.ts';
import type { TableLayout } from '../../terminal/table.ts';
import { hangingText } from '../../terminal/text-width.ts';

export interface PsOptions extends ListOptions {
  readonly all: boolean;
  readonly last: number | null;
  /** The members of this array instead of runs. */
  readonly members: string | null;
}

/** The maximum number of runs in one request. */
const MAX_RUNS = 100;

export function declarePs(program: Command, cli: Cli, run: typeof runPs = runPs): void {
  addListOptions(program.command('ps').description('List runs'))
    .option('-a, --all', 'show finished runs too')
    .option(
      '-n, --last <n>',
      `show the last N runs (up to ${MAX_RUNS})`,
      integerOption(1, MAX_RUNS),
    )
    .option('--members <array>', 'list the members of an array, finished ones too')
    .addOption(olderFormatOption())
    .action((o) => {
      const { all = false, last = null, members = null } = o;
      return run({ all, last, members, ...listOptions(o) }, cli);
    });
}

export async function runPs(options: PsOptions, cli: Cli): Promise<void> {
  const connection = await cli.connect();
  const project = connection.project.name;
  const layout = { width: cli.io.width, paint: cli.io.paint };
  let [reasons, traffic] = ['', ''];
  const load = async (): Promise<Run[]> => {
    const runs = await listRuns(connection, options);
    if (!options.verbose) return runs;
    [reasons, traffic] = await Promise.all([
      reasonsText(runs, connection, cli.io.width),
      trafficText(runs, connection, layout),
    ]);
    return runs;
  };
  const listing = {
    key: 'runs',
    load,
    name: ({ run_spec: { run_name } }: Run) => run_name ?? '',
    table: (runs: readonly Run[], verbose: boolean) =>
      renderRunTable([...runs], { verbose, now: cli.now(), layout }) +
      (verbose ? renderAddresses(runs, connection, layout) : '') +
      traffic +
      reasons,
    document: { project },
    empty: options.members
      ? `Array ${options.members} has no members yet`
      : `No runs in project ${project}. Start one: ${await applyHint(cli.cwd)}`,
  };
  await showList(listing, options, cli);
}

/** The requests of services in the last minute; empty if there are none, or the server does not report them. */
async function trafficText(
  runs: readonly Run[],
  { project }: Connection,
  layout: TableLayout,
): Promise<string> {
  const served = runs.filter(({ service, status }) => service && !isRunFinished(status));
  const names = served.flatMap(({ run_spec: { run_name } }) => run_name ?? []);
  if (names.length === 0) return '';
  const { isUnsupported } = await import('@dstack/client');
  try {
    const { services } = await project.services.listTraffic(names.slice(0, MAX_RUNS));
    if (services.length === 0) return '';
    const isLow = services.some(({ partial }) => partial);
    const note = isLow ? ' Some figures may be too low: dstack service NAME shows why.\n' : '';
    return `\n${renderTraffic(services, layout)}${note}`;
  } catch (error) {
    if (isUnsupported(error)) return '';
    throw error;
  }
}

/** At most this many runs get a reason for waiting below the table. */
const REASONS = 10;

async function reasonsText(
  runs: readonly Run[],
  connection: Connection,
  width: number | null,
): Promise<string> {
  const waiting = runs.filter(isKeptWaiting).slice(0, REASONS);
  const names = waiting.map((run) => run.run_spec.run_name ?? '');
  const reasons = await Promise.all(names.map((name) => waitReason(connection, name)));
  const lines = reasons
    .filter((reason) => reason !== null)
    .map((reason) => ` ${hangingText(reason, 1, width)}\n`);
  return lines.length === 0 ? '' : `\n${lines.join('')}`;
}

/** All members of an array. */
async function allPages(page: (after: Run | null) => Promise<Run[]>): Promise<Run[]> {
  const found: Run[] = [];
  while (found.length < MOST_MEMBERS) {
    const next = await page(found.at(-1) ?? null);
    found.push(...next);
    if (next.length < MAX_RUNS) break;
  }
  return found;
}

/** Active runs, or the latest run if none is active: an empty table would not help. */
async function listRuns(connection: Connection, options: PsOptions): Promise<Run[]> {
  const isWhole = options.members !== null && options.last === null;
  const list = (onlyActive: boolean, limit: number, after: Run | null = null): Promise<Run[]> =>
    connection.client.listRuns({
      project_name: connection.project.name,
      repo_id: null,
      username: null,
      only_active: onlyActive,
      include_jobs: true,
      job_submissions_limit: 1,
      prev_submitted_at: after?.submitted_at ?? null,
      prev_run_id: after?.id ?? null,
      limit,
      ascending: isWhole,
      ...(options.members !== null && { array: options.members }),
    });
  if (isWhole) return await allPages((after) => list(false, MAX_RUNS, after));
  const everything = options.all || options.last !== null;
  const active = await list(!everything, options.last ?? MAX_RUNS);
  const runs = active.length === 0 && !everything ? await list(false, 1) : active;
  // The list of an unknown project is empty too.
  if (runs.length === 0) await connection.client.projects.get(connection.project.name);
  return runs;
}
