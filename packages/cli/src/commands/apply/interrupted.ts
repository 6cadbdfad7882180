import { isRunFinished } from '@dstack/contract/status';
import type { Cli } from '../../context.ts';
import { CancelledError } from '../../errors.ts';

import { watchUntil } from '../../runs/watch-until.ts';
import { LiveBlock } from '../../terminal/live.ts';
import type { FollowInput } from './follow-input.ts';

/**
 * After Ctrl-C in an attached run, asks whether to stop it (with `--yes` the run continues without
 * asking). While the run stops, another Ctrl-C aborts it. Returns whether the run was stopped.
 */
export async function askAndStop(
  name: string,
  { connection, options }: FollowInput,
  cli: Cli,
): Promise<boolean> {
  cli.io.endLine();
  if (options.yes || !(await wantsStop(name, cli))) {
    cli.io.info(`Detached (dstack attach ${name}, dstack stop ${name})`);
    return false;
  }
  let aborted = false;
  const release = cli.onInterrupt(() => {
    aborted = true;
    // The watcher below reports the result; it also reports a failure.
    connection.project.runs.stop([name], true).catch(() => undefined);
  });
  const block = new LiveBlock(cli.io);
  block.show('Stopping... (Ctrl-C again to abort)');
  try {
    await connection.project.runs.stop([name], false);
    await watchUntil(connection, name, cli.signal, (run) => isRunFinished(run.status));
  } finally {
    release();
    block.stop();
  }
  cli.io.info(aborted ? 'Aborted' : 'Stopped');
  return true;
}

/** Without an answer (or after another Ctrl-C) the run continues. */
async function wantsStop(name: string, cli: Cli): Promise<boolean> {
  let release = (): void => {};
  const again = new Promise<never>((_, reject) => {
    release = cli.onInterrupt(() => reject(new CancelledError()));
  });
  try {
    const question = `Stop the run ${cli.io.paintErr('code', name)} before detaching?`;
    return await Promise.race([cli.prompt.confirm(question), again]);
  } catch {
    cli.io.endLine();
    return false;
  } finally {
    release();
  }
}
