/** An array is followed by the number of its members: their output would be mixed. */
import { isRunFinished } from '@dstack/contract/status';
import type { Run } from '@dstack/contract/wire';
import type { Cli, Connection } from '../../context.ts';
import { rollupText } from '../../runs/array-text.ts';
import { StartProgress } from '../../runs/start-progress.ts';
import { watchUntil } from '../../runs/watch-until.ts';

export async function followArray(
  name: string,
  json: boolean,
  connection: Connection,
  signal: AbortSignal,
  cli: Cli,
): Promise<Run> {
  const progress = new StartProgress(cli, { json });
  const { io } = cli;
  let ended: Run;
  try {
    ended = await watchUntil(
      connection,
      name,
      signal,
      (run) => isRunFinished(run.status),
      (run) => progress.show(run, null),
    );
  } finally {
    progress.stop();
  }
  io.info(`Array ${io.paintErr('code', name)} has ended: ${rollupText(ended) ?? ended.status}`);
  if ((ended.array?.members.failed ?? 0) > 0) {
    io.info(`Which ones: dstack ps --members ${name}. Again: dstack rerun --failed ${name}`);
  }
  return ended;
}
