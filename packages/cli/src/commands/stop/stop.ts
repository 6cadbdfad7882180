import { isRunFinished } from '@dstack/contract/status';
import type { Command } from 'commander';
import type { Cli, Connection } from '../../context.ts';
import { findRun } from '../../runs/get-run.ts';
import { watchUntil } from '../../runs/watch-until.ts';
import { withSpinner } from '../../terminal/live.ts';

export interface StopOptions {
  readonly names: readonly string[];
  readonly abort: boolean;
  readonly yes: boolean;
  readonly wait: boolean;
}

export function declareStop(program: Command, cli: Cli, run: typeof runStop = runStop): void {
  program
    .command('stop')
    .description('Stop runs')
    .argument('<run...>', 'names of the runs')
    .option('-x, --abort', 'abort at once instead of stopping gracefully')
    .option('-y, --yes', 'do not ask')
    .option('--wait', 'return when the runs have ended')
    .action((names, options) =>
      run(
        {
          names,
          abort: options.abort ?? false,
          yes: options.yes ?? false,
          wait: options.wait ?? false,
        },
        cli,
      ),
    );
}

export async function runStop(options: StopOptions, cli: Cli): Promise<void> {
  const connection = await cli.connect();
  // All names are resolved first: a misspelt one must not leave half of the runs stopped.
  const runs = await Promise.all(options.names.map((name) => findRun(connection, name)));
  for (const run of runs) {
    if (isRunFinished(run.status)) cli.io.warn(`Run ${nameOf(run)} is already ${run.status}`);
  }
  const names = runs.filter((run) => !isRunFinished(run.status)).map(nameOf);
  if (names.length === 0) return;
  const verb = options.abort ? 'Abort' : 'Stop';
  const what = `the run${names.length > 1 ? 's' : ''} ${names.join(', ')}`;
  if (!options.yes && !(await cli.prompt.confirm(`${verb} ${what}?`))) return;
  const spinner = options.abort ? 'Aborting...' : 'Stopping...';
  await withSpinner(cli.io, spinner, async () => {
    await connection.project.runs.stop(names, options.abort);
    if (options.wait) await Promise.all(names.map((name) => ended(connection, name, cli)));
  });
  if (options.wait) cli.io.info(options.abort ? 'Aborted' : 'Stopped');
  else cli.io.info(stoppingText(names, options.abort));
}

/** The server has only accepted it: until its jobs have ended, `dstack ps` shows the run as terminating. */
function stoppingText(names: readonly string[], isAbort: boolean): string {
  const verb = isAbort ? 'Aborting' : 'Stopping';
  return `${verb} ${names.join(', ')}; until it has ended, dstack ps shows it as terminating (--wait waits for that)`;
}

async function ended(connection: Connection, name: string, cli: Cli): Promise<void> {
  await watchUntil(connection, name, cli.signal, (run) => isRunFinished(run.status));
}

function nameOf(run: { run_spec: { run_name?: string | null } }): string {
  return run.run_spec.run_name ?? '';
}
