import type { Job, JobMetrics, Run } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli, Connection } from '../../context.ts';
import { CliError } from '../../errors.ts';
import { integerOption } from '../../options.ts';
import { findRun } from '../../runs/get-run.ts';
import { currentSubmission } from '../../runs/run-status.ts';
import { watchFrames } from '../../terminal/watch.ts';
import { type JobCharts, metricsText } from './metrics-text.ts';

export interface MetricsOptions {
  readonly run: string;
  readonly watch: boolean;
  readonly replica: number | null;
  readonly job: number | null;
  readonly json: boolean;
}

/** Number of samples requested; the window shown is cut from them. */
const SAMPLES = 1000;
const WATCH_MS = 10_000;

export function declareMetrics(
  program: Command,
  cli: Cli,
  run: typeof runMetrics = runMetrics,
): void {
  program
    .command('metrics')
    .description('Show utilization and memory of a run')
    .argument('<run>', 'name of the run')
    .option('-w, --watch', 'watch in real time')
    .option('--replica <n>', 'only this replica', integerOption(0))
    .option('--job <n>', 'only this job', integerOption(0))
    .option('--json', 'print JSON')
    .action((name, o) =>
      run(
        {
          run: name,
          watch: o.watch ?? false,
          replica: o.replica ?? null,
          job: o.job ?? null,
          json: o.json ?? false,
        },
        cli,
      ),
    );
}

export async function runMetrics(options: MetricsOptions, cli: Cli): Promise<void> {
  const connection = await cli.connect();
  const load = async (): Promise<JobCharts[]> => {
    const run = await findRun(connection, options.run);
    return Promise.all(chosenJobs(run, options).map((job) => chartsOf(run, job, connection)));
  };
  if (options.json) {
    const jobs = await load();
    cli.io.json({
      run: options.run,
      jobs: jobs.map(({ job, metrics }) => ({
        replica_num: job.job_spec.replica_num,
        job_num: job.job_spec.job_num,
        metrics,
      })),
    });
    return;
  }
  const frame = async (): Promise<string> =>
    metricsText(await load(), { now: cli.now(), width: cli.io.width ?? 120, paint: cli.io.paint });
  if (options.watch) await watchFrames(cli, frame, WATCH_MS);
  else cli.io.print(await frame());
}

function chosenJobs(run: Run, options: MetricsOptions): Job[] {
  const jobs = run.jobs.filter(
    ({ job_spec: spec }) =>
      (options.replica === null || spec.replica_num === options.replica) &&
      (options.job === null || spec.job_num === options.job),
  );
  if (jobs.length > 0) return jobs;
  throw new CliError(`Run ${options.run} has no such job`, {
    why:
      run.jobs.length > 0
        ? `it has: ${run.jobs.map((j) => j.job_spec.job_name).join(', ')}`
        : 'it has no jobs',
    next: `dstack metrics ${options.run}`,
  });
}

async function chartsOf(run: Run, job: Job, { project }: Connection): Promise<JobCharts> {
  const { replica_num, job_num } = job.job_spec;
  const query = { replica_num, job_num, limit: SAMPLES };
  const answer: JobMetrics = await project.metrics.job(run.run_spec.run_name ?? '', query);
  const submission = currentSubmission(job);
  const offer = submission?.job_runtime_data?.offer?.instance.resources;
  const resources = offer ?? submission?.job_provisioning_data?.instance_type.resources ?? null;
  return { job, metrics: answer.metrics, resources };
}
