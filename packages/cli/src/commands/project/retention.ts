import { formatDuration, Problem, parseDuration } from '@dstack/contract';
import type { ProjectRetention } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { showOne } from '../../output/listing.ts';
import {
  addOutputOptions,
  type OutputOptions,
  outputOptions,
} from '../../output/output-options.ts';
import { renderTable } from '../../terminal/table.ts';

export interface RetentionOptions extends OutputOptions {
  /** The given text; null = unchanged. */
  readonly runs: string | null;
  readonly logs: string | null;
  readonly events: string | null;
  readonly metrics: string | null;
}

const KINDS = ['runs', 'logs', 'events', 'metrics'] as const;

/** Removes the project's own time, so that the server's holds. */
const DEFAULT = 'default';

export function declareRetention(
  project: Command,
  cli: Cli,
  run: typeof runRetention = runRetention,
): void {
  addOutputOptions(
    project
      .command('retention')
      .description('Show or set how long the project keeps ended runs, output, events and metrics'),
  )
    .option('--runs <duration>', `ended runs, like 90d; ${DEFAULT} = as the server`)
    .option('--logs <duration>', `their output, like 14d; ${DEFAULT} = as the server`)
    .option('--events <duration>', `events, like 14d; ${DEFAULT} = as the server`)
    .option('--metrics <duration>', `metrics of jobs, like 30d; ${DEFAULT} = as the server`)
    .action((o, self: Command) => {
      const { runs = null, logs = null, events = null, metrics = null } = o;
      return run({ runs, logs, events, metrics, ...outputOptions(self.optsWithGlobals()) }, cli);
    });
}

export async function runRetention(options: RetentionOptions, cli: Cli): Promise<void> {
  const given = KINDS.flatMap((kind) => {
    const text = options[kind];
    return text === null ? [] : [[`${kind}_seconds`, seconds(`--${kind}`, text)] as const];
  });
  const { project } = await cli.connect();
  const found = await project.retention.get();
  // An older server answers with fewer kinds.
  const { runs_seconds, logs_seconds, events_seconds = null, metrics_seconds = null } = found;
  const own = { runs_seconds, logs_seconds, events_seconds, metrics_seconds };
  const retention =
    given.length > 0
      ? await project.retention.set({ ...own, ...Object.fromEntries(given) })
      : found;
  const form = { name: () => project.name, table: () => retentionTable(retention, cli) };
  await showOne(retention, form, options, cli);
}

/** Null: as the server. */
function seconds(option: string, text: string): number | null {
  if (text === DEFAULT) return null;
  const parsed = parseDuration(text);
  if (typeof parsed === 'number' && parsed > 0) return parsed;
  throw new UsageError(`${option} ${parsed instanceof Problem ? parsed.message : 'is too short'}`, {
    next: `dstack project retention ${option} 30d`,
  });
}

function retentionTable(retention: ProjectRetention, { io }: Cli): string {
  const shown = (value: number | null): string =>
    value === null ? 'for ever' : formatDuration(value);
  const row = (name: string, own: number | null, holds: number | null): string[] => [
    ...[name, shown(holds), own === null ? 'the server' : 'the project'],
  ];
  const columns = [
    { header: 'WHAT', keep: true },
    { header: 'KEPT FOR', keep: true },
    { header: 'SET BY' },
  ];
  const rows = [
    row('ended runs', retention.runs_seconds, retention.effective_runs_seconds),
    row('their output', retention.logs_seconds, retention.effective_logs_seconds),
    row('events', retention.events_seconds, retention.effective_events_seconds),
    row('metrics', retention.metrics_seconds, retention.effective_metrics_seconds),
  ];
  return renderTable(columns, rows, { width: io.width, paint: io.paint });
}
