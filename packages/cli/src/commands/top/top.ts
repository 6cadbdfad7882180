import type { JobMetrics, Overview, Run } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli, Connection } from '../../context.ts';
import { isRunningNow } from '../../runs/run-status.ts';
import { watchFrames } from '../../terminal/watch.ts';
import type { BusyJob, TopState } from './top-state.ts';
import { topText } from './top-text.ts';

export interface TopOptions {
  /** One frame; without a terminal always. */
  readonly once: boolean;
  readonly json: boolean;
}

export function declareTop(program: Command, cli: Cli, run: typeof runTop = runTop): void {
  program
    .command('top')
    .description('Show running jobs, GPUs and hosts of the project, live')
    .option('--once', 'print once and end')
    .option('--json', 'print JSON once')
    .action((o) => run({ once: o.once ?? false, json: o.json ?? false }, cli));
}

const REDRAW_MS = 2000;
/** Measurements of more jobs would take longer than a frame. */
const MOST_MEASURED = 40;

export async function runTop({ once, json }: TopOptions, cli: Cli): Promise<void> {
  const connection = await cli.connect();
  if (json) {
    const { project, overview, jobs, instances } = await stateOf(connection);
    const shown = jobs.map(({ run, job, measured }) => ({
      run: run.run_spec.run_name,
      replica: job.job_spec.replica_num,
      job: job.job_spec.job_num,
      measured,
    }));
    cli.io.json({ project, overview, jobs: shown, instances });
    return;
  }
  const frame = async () => topText(await stateOf(connection), cli);
  if (once || cli.io.redrawnOut === null) cli.io.print(await frame());
  else await watchFrames(cli, frame, REDRAW_MS);
}

async function stateOf(connection: Connection): Promise<TopState> {
  const { client, project } = connection;
  const [overview, runs, instances] = await Promise.all([
    overviewOf(connection),
    client.listRuns({ project_name: project.name, only_active: true, limit: 100 }),
    client.server.listInstances({ project_names: [project.name], only_active: true, limit: 100 }),
  ]);
  const running = runs.flatMap((run) =>
    run.jobs.filter(isRunningNow).map((job) => ({ run, job, measured: {} })),
  );
  const measured = running.slice(0, MOST_MEASURED).map(async ({ run, job }) => ({
    run,
    job,
    measured: await newestOf(run, job, connection),
  }));
  const jobs = [...(await Promise.all(measured)), ...running.slice(MOST_MEASURED)];
  return { project: project.name, overview, jobs, instances };
}

async function overviewOf({ client, project }: Connection): Promise<Overview | null> {
  try {
    return await client.server.overview(project.name);
  } catch (error) {
    const { isUnsupported } = await import('@dstack/client');
    if (isUnsupported(error)) return null;
    throw error;
  }
}

async function newestOf(
  run: Run,
  { job_spec }: BusyJob['job'],
  { project }: Connection,
): Promise<Record<string, number>> {
  const { replica_num, job_num } = job_spec;
  const query = { run_id: run.id, replica_num, job_num, limit: 1 };
  // A job that has just ended has no measurements.
  const none: JobMetrics = { metrics: [] };
  const answer = await project.metrics.job(run.run_spec.run_name ?? '', query).catch(() => none);
  return Object.fromEntries(
    answer.metrics.flatMap(({ name, values }) => {
      const [value] = values;
      return typeof value === 'number' ? [[name, value]] : [];
    }),
  );
}
