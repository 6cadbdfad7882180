import { costText, isPartialCost, totalCostText } from '@dstack/contract/cost-text';
import type { CostReport, CostRow } from '@dstack/contract/wire';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Cli } from '../../context.ts';
import { CliError } from '../../errors.ts';
import { sinceOption } from '../../format/since.ts';
import { price, trimmed } from '../../format/values.ts';
import { showList } from '../../output/listing.ts';
import {
  addOutputOptions,
  type OutputOptions,
  outputOptions,
} from '../../output/output-options.ts';
import { renderTable } from '../../terminal/table.ts';

export interface CostOptions extends OutputOptions {
  readonly by: CostReport['by'];
  /** The key of the tag, if costs are grouped by one. */
  readonly tag: string | null;
  readonly since: string;
  readonly until: string | null;
  readonly allProjects: boolean;
}

export function declareCost(program: Command, cli: Cli, run: typeof runCost = runCost): void {
  const command = program
    .command('cost')
    .description('Show what runs and machines have cost')
    .addOption(
      new Option('--by <group>', 'run, user, project, fleet, gpu, day, or tag:KEY')
        // For completion; the parser accepts tags too.
        .choices(GROUPS)
        .argParser(parseGroup)
        .default({ by: 'run', tag: null } satisfies Group, 'run'),
    )
    .option('--since <when>', 'from then on: 12h, 7d, 4w, or a time with offset', '30d')
    .option('--until <when>', 'up to then (default: now)')
    .option('--all-projects', 'of all projects that you may see');
  addOutputOptions(command).action((o) =>
    run(
      {
        ...outputOptions(o),
        ...(o.by as Group),
        since: o.since,
        until: o.until ?? null,
        allProjects: o.allProjects ?? o.by.by === 'project',
      },
      cli,
    ),
  );
}

type Group = Pick<CostOptions, 'by' | 'tag'>;

const GROUPS = ['run', 'user', 'project', 'fleet', 'gpu', 'day'] as const;

function parseGroup(text: string): Group {
  const by = GROUPS.find((group) => group === text);
  if (by !== undefined) return { by, tag: null };
  const [, tag] = /^tag:(.+)$/.exec(text) ?? [];
  if (tag !== undefined) return { by: 'tag', tag };
  throw new InvalidArgumentError(`Use one of ${GROUPS.join(', ')}, or tag:KEY.`);
}

export async function runCost(options: CostOptions, cli: Cli): Promise<void> {
  const since = await sinceOption(options.since, cli);
  const until = options.until === null ? null : await sinceOption(options.until, cli, '--until');
  const { client, project } = await cli.connect();
  const project_name = options.allProjects ? null : project.name;
  const report = await supported(() =>
    client.server.cost({ project_name, since, until, by: options.by, tag: options.tag }),
  );
  const listing = {
    key: 'rows',
    load: async () => report.rows,
    table: (rows: readonly CostRow[]) => costTable(rows, report, cli),
    name: (row: CostRow) => nameOf(row, options.by),
    document: {
      ...{ since: report.since, until: report.until, by: report.by },
      ...{ total: report.total, idle_total: report.idle_total },
    },
    empty: `No run has held a machine since ${report.since.slice(0, 10)}`,
  };
  await showList(listing, { ...options, watch: false }, cli);
}

async function supported<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const { isUnsupported } = await import('@dstack/client');
    if (!isUnsupported(error)) throw error;
    throw new CliError('This server does not sum up costs', {
      why: 'it is older than this command, or a server of dstack 0.22',
      next: 'dstack ps --all --verbose shows the price of each run',
      cause: error,
    });
  }
}

function nameOf(row: CostRow, by: CostReport['by']): string {
  const { run_name: run, username: user, project_name: project, fleet_name: fleet, day } = row;
  const ofMachine = { fleet: fleet || 'unknown', gpu: row.gpu || 'no GPU' };
  return { run, user, project, day, ...ofMachine, tag: row.tag || 'no tag' }[by] ?? '';
}

function costTable(rows: readonly CostRow[], report: CostReport, cli: Cli): string {
  const { by, total, idle_total: idleTotal } = report;
  const isOfRuns = by === 'run';
  // Servers of an older version do not report it.
  const hasIdle = rows.some(({ idle_cost }) => (idle_cost ?? 0) !== 0);
  const columns = [
    { header: by.toUpperCase(), keep: true },
    ...(isOfRuns
      ? [
          { header: 'USER', optional: 1 },
          { header: 'PROJECT', optional: 2 },
        ]
      : []),
    { header: 'HOURS', keep: true },
    { header: 'GPU HOURS', optional: 3 },
    { header: 'COST', keep: true },
    ...(hasIdle ? [{ header: 'IDLE', keep: true }] : []),
  ];
  const cells = rows.map((row) => [
    nameOf(row, by),
    ...(isOfRuns ? [row.username ?? '', row.project_name ?? ''] : []),
    trimmed(row.hours, 2),
    row.gpu_hours ? trimmed(row.gpu_hours, 2) : '',
    costText(row.cost, isPartialCost(row), dollars),
    ...(hasIdle ? [row.idle_cost ? dollars(row.idle_cost) : ''] : []),
  ]);
  const last = [
    ...['TOTAL', ...(isOfRuns ? ['', ''] : []), '', '', totalCostText({ total, rows }, dollars)],
    ...(hasIdle ? [dollars(idleTotal ?? 0)] : []),
  ];
  const layout = { width: cli.io.width, paint: cli.io.paint };
  return [renderTable(columns, [...cells, last], layout), ...notes(rows, report)].join('\n');
}

const dollars = (amount: number): string => price(amount, 2);

function notes(rows: readonly CostRow[], { by, idle_total: idle }: CostReport): string[] {
  const unpriced = rows.some((row) => (row.unpriced_hours ?? 0) > 0);
  const isHidden = ['run', 'user', 'tag'].includes(by) && (idle ?? 0) !== 0;
  return [
    ...(isHidden ? [`Machines without jobs: ${dollars(idle ?? 0)} (--by fleet)`] : []),
    ...(unpriced
      ? [
          'unknown: the machines have no price; set one for the SSH hosts, the backend or the server',
        ]
      : []),
  ];
}
