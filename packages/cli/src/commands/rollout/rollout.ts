import { isRolloutOver, isRolloutRolledBack, isRolloutWaiting } from '@dstack/contract/status';
import type { Run } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { findRun } from '../../runs/get-run.ts';
import { watchUntil } from '../../runs/watch-until.ts';

export interface RolloutOptions {
  readonly run: string;
  readonly action: 'status' | 'pause' | 'resume' | 'undo';
  /** Until the rollout is over, or waits for a user. */
  readonly wait: boolean;
  readonly json: boolean;
}

const SUMMARIES = {
  status: 'Show how far the last update of a service has come',
  pause: 'Replace no further replicas',
  resume: 'Continue a paused rollout, or accept its canaries',
  undo: 'Return to the configuration before the last update',
} as const;

export function declareRollout(
  program: Command,
  cli: Cli,
  run: typeof runRollout = runRollout,
): void {
  const rollout = program
    .command('rollout')
    .description('Show, pause, resume or undo the update of a service');
  for (const [name, summary] of Object.entries(SUMMARIES)) {
    const action = name as RolloutOptions['action'];
    rollout
      .command(action, { isDefault: false })
      .description(summary)
      .argument('<run>', 'name of the run')
      .option('--wait', 'wait until the rollout is over or waits for you')
      .option('--json', 'print JSON')
      .action((runName, o) =>
        run({ run: runName, action, wait: o.wait ?? false, json: o.json ?? false }, cli),
      );
  }
}

/** Exit code 6: the rollout was rolled back, other than by `undo`. */
export async function runRollout(options: RolloutOptions, cli: Cli): Promise<void> {
  const connection = await cli.connect();
  const { run: name, action } = options;
  if (action !== 'status') await connection.project.runs.rollout(name, action);
  const found = await findRun(connection, name);
  const run = options.wait ? await watchUntil(connection, name, cli.signal, isSettled) : found;
  const { rollout } = run;
  if (rollout === undefined) {
    throw new CliError(`Run ${name} has not been updated, so it has no rollout`);
  }
  if (options.json) cli.io.json(rollout, 2);
  else cli.io.print(`${rolloutText(run)}\n`);
  if (action !== 'undo' && isRolloutRolledBack(rollout.status)) cli.setExitCode(EXIT.rolledBack);
}

const isSettled = ({ rollout }: Run): boolean =>
  rollout === undefined || isRolloutOver(rollout.status) || isRolloutWaiting(rollout.status);

function rolloutText({ run_spec, rollout }: Run): string {
  if (rollout === undefined) return '';
  const { deployment_num, status, ready, previous_deployment_num: previous, message } = rollout;
  const replicas = ready === 1 ? '1 replica ready' : `${ready} replicas ready`;
  const head = `${run_spec.run_name}: deployment ${deployment_num} ${status.replaceAll('_', ' ')}`;
  const why = message === null ? '' : `: ${message}`;
  const before = previous === null ? '' : `; previous deployment ${previous}`;
  return `${head}${why}, ${replicas}${before}`;
}
