import type { Run } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli, Connection } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { addFormatOptions, integerOption, wantsJson } from '../../options.ts';
import { renderRunTable } from '../../runs/run-table.ts';
import { isKeptWaiting, waitReason } from '../../runs/wait-reasons.ts';
import { hangingText } from '../../terminal/text-width.ts';
import { watchFrames } from '../../terminal/watch.ts';

export interface PsOptions {
  readonly all: boolean;
  readonly verbose: boolean;
  readonly watch: boolean;
  readonly last: number | null;
  readonly json: boolean;
}

/** The maximum number of runs in one request. */
const MAX_RUNS = 100;

export function declarePs(program: Command, cli: Cli, run: typeof runPs = runPs): void {
  const command = program
    .command('ps')
    .description('List runs')
    .option('-a, --all', 'show finished runs too')
    .option('-v, --verbose', 'show more, and why runs wait')
    .option('-w, --watch', 'watch in real time')
    .option(
      '-n, --last <n>',
      `show the last N runs (up to ${MAX_RUNS})`,
      integerOption(1, MAX_RUNS),
    );
  addFormatOptions(command).action((options) =>
    run(
      {
        all: options.all ?? false,
        verbose: options.verbose ?? false,
        watch: options.watch ?? false,
        last: options.last ?? null,
        json: wantsJson(options),
      },
      cli,
    ),
  );
}

export async function runPs(options: PsOptions, cli: Cli): Promise<void> {
  if (options.watch && options.json) {
    throw new UsageError('--watch and --json cannot be used together');
  }
  const connection = await cli.connect();
  if (options.json) {
    const runs = await listRuns(connection, options);
    cli.io.json({ project: connection.project.name, runs });
    return;
  }
  const frame = async (): Promise<string> => {
    const runs = await listRuns(connection, options);
    const layout = { width: cli.io.width, paint: cli.io.paint };
    const table = renderRunTable(runs, { verbose: options.verbose, now: cli.now(), layout });
    return options.verbose ? table + (await reasonsText(runs, connection, cli.io.width)) : table;
  };
  if (options.watch) await watchFrames(cli, frame);
  else cli.io.print(await frame());
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

/** Active runs, or the latest run if none is active: an empty table would not help. */
async function listRuns(connection: Connection, options: PsOptions): Promise<Run[]> {
  const list = (onlyActive: boolean, limit: number): Promise<Run[]> =>
    connection.client.listRuns({
      project_name: connection.project.name,
      repo_id: null,
      username: null,
      only_active: onlyActive,
      include_jobs: true,
      job_submissions_limit: 1,
      prev_submitted_at: null,
      prev_run_id: null,
      limit,
      ascending: false,
    });
  const everything = options.all || options.last !== null;
  const active = await list(!everything, options.last ?? MAX_RUNS);
  const runs = active.length === 0 && !everything ? await list(false, 1) : active;
  // The list of an unknown project is empty too.
  if (runs.length === 0) await connection.client.projects.get(connection.project.name);
  return runs;
}
