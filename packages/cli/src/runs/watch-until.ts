import type { Run } from '@dstack/contract/wire';
import type { Connection } from '../context.ts';
import { CliError } from '../errors.ts';

/** Follows a run until `done` says so; `seen` is called with every state, the last one too. */
export async function watchUntil(
  connection: Connection,
  name: string,
  signal: AbortSignal,
  done: (run: Run) => boolean,
  seen: (run: Run) => void = () => {},
): Promise<Run> {
  for await (const run of connection.project.runs.watch(name, signal)) {
    seen(run);
    if (done(run)) return run;
  }
  throw new CliError(`Lost sight of run ${name}`, { next: `dstack ps` });
}
