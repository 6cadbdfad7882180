import type { RunReference } from '@dstack/client';
import type { Run } from '@dstack/contract/wire';
import type { Connection } from '../context.ts';
import { CliError } from '../errors.ts';

/** The latest run of that name, or the run with that id. */
export async function getRun(connection: Connection, run: string | RunReference): Promise<Run> {
  const reference = typeof run === 'string' ? { run_name: run } : run;
  try {
    return await connection.project.runs.get(reference);
  } catch (error) {
    const { ResourceNotExistsError } = await import('@dstack/client');
    if (!(error instanceof ResourceNotExistsError)) throw error;
    const name = 'id' in reference ? reference.id : reference.run_name;
    throw new CliError(`Run ${name} does not exist`, {
      why: `project ${connection.project.name} has no such run`,
      next: 'dstack ps --all',
      cause: error,
    });
  }
}
