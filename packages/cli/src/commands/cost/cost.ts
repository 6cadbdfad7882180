import type { CostReport, CostRow } from '@dstack/contract/wire';
import { type Command, Option } from 'commander';
import type { Cli } from '../../context.ts';
import { CliError } from '../../errors.ts';
import { parseSince } from '../../format/since.ts';
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
  readonly since: string;
  readonly until: string | null;
  readonly allProjects: boolean;
}

export function declareCost(program: Command, cli: Cli, run: typeof runCost = runCost): void {
  const command = program
    .command('cost')
    .description('Show what runs have cost')
    .addOption(
      new Option('--by <group>', 'run, user, project or day')
        .choices(['run', 'user', 'project', 'day'])
        .default('run'),
    )
    .option('--since <when>', 'from then on: 12h, 7d, 4w, or a time with offset', '30d')
    .option('--until <when>', 'up to then (default: now)')
    .option('--all-projects', 'of all projects that you may see');
  addOutputOptions(command).action((o) =>
    run(
      {
        ...outputOptions(o),
        by: o.by,
        since: o.since,
        until: o.until ?? null,
        allProjects: o.allProjects ?? o.by === 'project',
      },
      cli,
    ),
  );
}

export async function runCost(options: CostOptions, cli: Cli): Promise<void> {
  const since = parseSince(options.since, cli.now());
  const until = options.until === null ? null : parseSince(options.until, cli.now());
  const { client, project } = await cli.connect();
  const project_name = options.allProjects ? null : project.name;
  const report = await supported(() =>
    client.server.cost({ project_name, since, until, by: options.by }),
  );
  const listing = {
    key: 'rows',
    load: async () => report.rows,
    table: (rows: readonly CostRow[]) => costTable(rows, report, cli),
    name: (row: CostRow) => nameOf(row, options.by),
    document: { since: report.since, until: report.until, by: report.by, total: report.total },
    empty: `No run on a machine with a price since ${report.since.slice(0, 10)}. Prices: dstack offer`,
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
  const { run_name: run, username: user, project_name: project, day } = row;
  return { run, user, project, day }[by] ?? '';
}

function costTable(rows: readonly CostRow[], { by, total }: CostReport, cli: Cli): string {
  const columns = [
    { header: by.toUpperCase(), keep: true },
    ...(by === 'run'
      ? [
          { header: 'USER', optional: 1 },
          { header: 'PROJECT', optional: 2 },
        ]
      : []),
    { header: 'HOURS', keep: true },
    { header: 'COST', keep: true },
  ];
  const cells = rows.map((row) => [
    nameOf(row, by),
    ...(by === 'run' ? [row.username ?? '', row.project_name ?? ''] : []),
    trimmed(row.hours, 2),
    price(row.cost, 2),
  ]);
  const last = ['TOTAL', ...(by === 'run' ? ['', ''] : []), '', price(total, 2)];
  const layout = { width: cli.io.width, paint: cli.io.paint };
  return renderTable(columns, [...cells, last], layout);
}
