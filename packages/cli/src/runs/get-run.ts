import type { RunReference } from '@dstack/client';
import { nearest } from '@dstack/contract/nearest';
import type { Run } from '@dstack/contract/wire';
import type { Connection } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';

/** The latest run of that name, or the run with that id. */
export async function findRun(connection: Connection, run: string | RunReference): Promise<Run> {
  const reference = typeof run === 'string' ? { run_name: run } : run;
  try {
    return await connection.project.runs.get(reference);
  } catch (error) {
    const { ResourceNotExistsError } = await import('@dstack/client');
    if (!(error instanceof ResourceNotExistsError)) throw error;
    const name = 'id' in reference ? reference.id : reference.run_name;
    const similar = await similarName(connection, name);
    throw new CliError(`Run ${name} does not exist`, {
      exitCode: EXIT.notFound,
      why: `project ${connection.project.name} has no such run`,
      next: similar === null ? 'dstack ps --all' : `did you mean ${similar}? (dstack ps --all)`,
      cause: error,
    });
  }
}

/** The name of a recent run that the user may have meant. */
async function similarName(connection: Connection, name: string): Promise<string | null> {
  try {
    const runs = await connection.client.listRuns({
      project_name: connection.project.name,
      only_active: false,
      include_jobs: false,
      limit: 100,
    });
    const present = runs.filter((run) => run.deleted !== true);
    const names = new Set(present.flatMap((run) => run.run_spec.run_name ?? []));
    return nearest(name, names) ?? null;
  } catch {
    // A failed suggestion is ignored: the caller already has an error to report.
    return null;
  }
}
