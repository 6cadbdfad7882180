import type { Run } from '@dstack/contract/wire';
import type { Connection } from '../context.ts';
import { CliError } from '../errors.ts';

/**
 * Watches a run until `done` returns true. `seen` is called with every state, including the last
 * one.
 */
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
  throw new CliError(`Run ${name} cannot be watched any longer`, { next: `dstack ps` });
}
