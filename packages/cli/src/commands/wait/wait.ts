import { isRunFinished, isRunRunning, type RunStatus } from '@dstack/contract/status';
import { type Command, Option } from 'commander';
import type { Cli } from '../../context.ts';
import { CliError } from '../../errors.ts';
import { integerOption } from '../../options.ts';
import { finishedMessage } from '../../runs/finished-message.ts';
import { findRun } from '../../runs/get-run.ts';
import { outcomeOf } from '../../runs/run-outcome.ts';
import { StartProgress } from '../../runs/start-progress.ts';
import { watchUntil } from '../../runs/watch-until.ts';

export interface WaitOptions {
  readonly run: string;
  readonly until: 'running' | 'done';
  /** Seconds; null = for ever. */
  readonly timeout: number | null;
  readonly json: boolean;
}

export function declareWait(program: Command, cli: Cli, run: typeof runWait = runWait): void {
  program
    .command('wait')
    .description('Wait until a run is running or has ended')
    .argument('<run>', 'name of the run')
    .addOption(
      new Option('--for <state>', 'running, or done (its end)')
        .choices(['running', 'done'])
        .default('done'),
    )
    .option('--timeout <seconds>', 'give up after', integerOption(1))
    .option('--json', 'print the run as JSON')
    .action((name, o) => {
      const { for: until, timeout = null, json = false } = o;
      return run({ run: name, until, timeout, json }, cli);
    });
}

/**
 * Exit code 0 if the state was reached, 1 if the time ran out; that of the run if it has ended
 * otherwise.
 */
export async function runWait(options: WaitOptions, cli: Cli): Promise<void> {
  const connection = await cli.connect();
  await findRun(connection, options.run);
  const limit =
    options.timeout === null ? null : AbortSignal.timeout(Math.min(options.timeout, 2e6) * 1000);
  const signal = limit === null ? cli.signal : AbortSignal.any([cli.signal, limit]);
  const progress = new StartProgress(cli);
  const reached = (status: RunStatus): boolean =>
    options.until === 'running' && isRunRunning(status);
  try {
    const run = await watchUntil(
      connection,
      options.run,
      signal,
      (r) => isRunFinished(r.status) || reached(r.status),
      (r) => progress.show(r, null),
    );
    progress.stop();
    if (options.json) cli.io.json(run, 2);
    if (reached(run.status)) return;
    cli.io.info(finishedMessage(run, cli.io.paintErr));
    cli.setExitCode(outcomeOf(run).code);
  } catch (error) {
    if (!limit?.aborted) throw error;
    throw new CliError(`Run ${options.run} is not ${options.until} after ${options.timeout} s`, {
      next: `dstack explain ${options.run}`,
      cause: error,
    });
  } finally {
    progress.stop();
  }
}
