import { usageSum } from '@dstack/contract/usage';
import type { ModelUsageRow } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { sinceOption } from '../../format/since.ts';
import { renderTable } from '../../terminal/table.ts';

export interface UsageCommandOptions {
  readonly since: string | null;
  readonly byDay: boolean;
  readonly json: boolean;
}

export function declareUsage(program: Command, cli: Cli, run: typeof runUsage = runUsage): void {
  program
    .command('usage')
    .description('Show requests and tokens of models, by model and user')
    .option('--since <when>', 'since that day: 7d, or a time with offset; default: 30 days')
    .option('--by-day', 'one line per day')
    .option('--json', 'print JSON')
    .action((o) =>
      run({ since: o.since ?? null, byDay: o.byDay ?? false, json: o.json ?? false }, cli),
    );
}

export async function runUsage(options: UsageCommandOptions, cli: Cli): Promise<void> {
  const since = options.since === null ? null : await sinceOption(options.since, cli);
  const { project } = await cli.connect();
  const report = await project.models.usage(since === null ? {} : { since });
  if (options.json) {
    cli.io.json(report, 2);
    return;
  }
  if (report.usage.length === 0) {
    cli.io.info('No requests to models.');
    return;
  }
  const rows = options.byDay ? report.usage : summed(report.usage);
  const columns = [
    ...(options.byDay ? [{ header: 'DAY', keep: true }] : []),
    { header: 'MODEL', keep: true },
    { header: 'USER', keep: true },
    { header: 'REQUESTS' },
    { header: 'ABORTED', optional: 1 },
    { header: 'ESTIMATED', optional: 1 },
    { header: 'TOKENS IN' },
    { header: 'TOKENS OUT' },
  ];
  const cells = rows.map((row) => [
    ...(options.byDay ? [row.day] : []),
    row.model,
    row.user,
    String(row.requests),
    String(row.aborted),
    String(row.estimated),
    String(row.prompt_tokens),
    String(row.completion_tokens),
  ]);
  cli.io.print(renderTable(columns, cells, { width: cli.io.width, paint: cli.io.paint }));
}

/** Over all days, those with the most tokens first. */
function summed(rows: readonly ModelUsageRow[]): ModelUsageRow[] {
  const sums = new Map<string, ModelUsageRow>();
  for (const row of rows) {
    const key = JSON.stringify([row.model, row.user]);
    const known = sums.get(key);
    sums.set(key, known === undefined ? row : usageSum(known, row));
  }
  const tokens = (row: ModelUsageRow) => row.prompt_tokens + row.completion_tokens;
  return [...sums.values()].sort((a, b) => tokens(b) - tokens(a));
}
