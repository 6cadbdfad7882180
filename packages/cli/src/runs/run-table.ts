import { isJobRunning, isRunFinished, isRunPending } from '@dstack/contract/status';
import type { Job, JobSubmission, Run } from '@dstack/contract/wire';
import { instanceGpu, instanceResources } from '../format/resources.ts';
import { durationInUnits, relativeTime, utcClock } from '../format/time.ts';
import { backendWithHost, price } from '../format/values.ts';
import {
  type Cell,
  type Column,
  renderTable,
  type TableLayout,
  type TableRow,
} from '../terminal/table.ts';
import { currentSubmission, jobStatusText, probeGlyphs, runStatusText } from './run-status.ts';

export interface RunTableOptions {
  readonly verbose: boolean;
  /** ms since the epoch, for "5 mins ago"; null prints local `HH:MM` instead. */
  readonly now: number | null;
  readonly layout: TableLayout;
}

/** The table of `ps` and of an attached `apply`. */
export function renderRunTable(runs: readonly Run[], options: RunTableOptions): string {
  const showProbes = options.verbose || runs.some((run) => isRollingOut(run) && hasProbes(run));
  const columns = columnsFor(options.verbose, showProbes);
  const rows = runs.flatMap((run) => runRows(run, options));
  const chosen = rows.map((row): TableRow => columns.map((c) => row[c.field] ?? ''));
  return renderTable(columns, chosen, options.layout);
}

type Field =
  | 'name'
  | 'backend'
  | 'gpu'
  | 'resources'
  | 'instance'
  | 'price'
  | 'status'
  | 'probes'
  | 'submitted'
  | 'error';

type Fields = Partial<Record<Field, Cell | string>>;

function columnsFor(verbose: boolean, probes: boolean): (Column & { field: Field })[] {
  return [
    { field: 'name', header: 'NAME', keep: true },
    { field: 'backend', header: 'BACKEND', optional: 2 },
    verbose
      ? { field: 'resources', header: 'RESOURCES' }
      : { field: 'gpu', header: 'GPU', keep: true, optional: 1 },
    ...(verbose ? [{ field: 'instance', header: 'INSTANCE TYPE', optional: 3 } as const] : []),
    { field: 'price', header: 'PRICE', optional: 4 },
    { field: 'status', header: 'STATUS', keep: true },
    ...(probes ? [{ field: 'probes', header: 'PROBES', optional: 5 } as const] : []),
    { field: 'submitted', header: 'SUBMITTED', keep: true, optional: 3 },
    ...(verbose ? [{ field: 'error', header: 'ERROR', optional: 1 } as const] : []),
  ];
}

function runRows(run: Run, options: RunTableOptions): Fields[] {
  const [head, ...jobs] = rowsOf(run, options);
  if (head === undefined || run.deleted !== true) return [head ?? {}, ...jobs];
  // Commands no longer find it by its name, which a newer run may have.
  const status = typeof head.status === 'object' ? head.status : { text: head.status ?? '' };
  return [{ ...head, status: { ...status, text: `${status.text}, deleted` } }, ...jobs];
}

function rowsOf(run: Run, options: RunTableOptions): Fields[] {
  const deployments = showsDeployments(run, options.verbose);
  const only = run.jobs.length === 1 && !run.array ? run.jobs[0] : undefined;
  if (only !== undefined && !deployments) return [mergedRow(run, only, options)];
  const name = run.run_spec.run_name ?? '';
  const head: Fields = {
    name: {
      text: deployments ? `${name} deployment=${run.deployment_num ?? 0}` : name,
      style: 'bold',
    },
    gpu: '-',
    resources: '',
    price: '-',
    status: runStatusText(run),
    submitted: when(run.submitted_at, options),
    error: run.error ?? '',
  };
  if (run.jobs.length === 0 || run.array) head.backend = '-';
  // The jobs of an array are only some of its members.
  if (run.array) return [head];
  return [head, ...jobRows(run, deployments, options)];
}

function mergedRow(run: Run, job: Job, options: RunTableOptions): Fields {
  const submission = currentSubmission(job);
  const status = submission ? mergedStatus(run, submission) : runStatusText(run);
  return {
    ...placement(submission),
    name: { text: run.run_spec.run_name ?? '', style: 'bold' },
    status: withInactivity(status, run, submission, options.verbose),
    probes: probeGlyphs(job),
    submitted: when(run.submitted_at, options),
    error: run.error || (submission?.error ?? ''),
  };
}

/** The job's status takes precedence, except while the run waits for its next attempt. */
function mergedStatus(run: Run, submission: JobSubmission): Cell {
  const waiting = isRunPending(run.status) || run.status_message === 'retrying';
  return waiting ? runStatusText(run) : jobStatusText(submission);
}

/** Only for dev environments: services and tasks work without connected users. */
function withInactivity(
  status: Cell,
  run: Run,
  submission: JobSubmission | undefined,
  verbose: boolean,
): Cell {
  if (run.run_spec.configuration.type !== 'dev-environment') return status;
  const seconds = submission?.inactivity_secs ?? 0;
  if (!verbose || seconds <= 0 || !submission || !isJobRunning(submission.status)) return status;
  return { ...status, text: `${status.text} (inactive for ${durationInUnits(seconds)})` };
}

function jobRows(run: Run, deployments: boolean, options: RunTableOptions): Fields[] {
  const jobs = sortedJobs(run);
  const replicas = new Set(jobs.map(replicaKey));
  const severalJobs = jobs.some((j) => j.job_spec.job_num > 0);
  const groups = run.run_spec.configuration.type === 'service' && replicas.size > 1;
  let previousGroup: string | null = null;
  return jobs.map((job) => {
    const submission = currentSubmission(job);
    const parts: string[] = [];
    const group = job.job_spec.replica_group ?? '0';
    if (groups) {
      const label = `group=${group}`;
      parts.push(group === previousGroup ? ' '.repeat(label.length) : label);
      previousGroup = group;
    }
    if (replicas.size > 1) parts.push(`replica=${job.job_spec.replica_num ?? 0}`);
    if (severalJobs) parts.push(`job=${job.job_spec.job_num}`);
    if (deployments) parts.push(`deployment=${submission?.deployment_num ?? 0}`);
    return {
      ...placement(submission),
      name: { text: `   ${parts.join(' ') || `job=${job.job_spec.job_num}`}`, style: 'dim' },
      status: submission
        ? withInactivity(jobStatusText(submission), run, submission, options.verbose)
        : '',
      probes: probeGlyphs(job),
      submitted: submission ? when(submission.submitted_at, options) : '',
      error: submission?.error ?? '',
    };
  });
}

function sortedJobs(run: Run): Job[] {
  const groups = [...new Set(run.jobs.map((j) => j.job_spec.replica_group ?? '0'))];
  return [...run.jobs].sort(
    (a, b) =>
      groups.indexOf(a.job_spec.replica_group ?? '0') -
        groups.indexOf(b.job_spec.replica_group ?? '0') ||
      (a.job_spec.replica_num ?? 0) - (b.job_spec.replica_num ?? 0) ||
      a.job_spec.job_num - b.job_spec.job_num,
  );
}

function replicaKey(job: Job): string {
  return `${job.job_spec.replica_group ?? '0'}/${job.job_spec.replica_num ?? 0}`;
}

/** The instance of a submission and the resources it has there. */
function placement(submission: JobSubmission | undefined): Fields {
  const provisioned = submission?.job_provisioning_data;
  if (!provisioned) return { backend: '-', gpu: '-', resources: '-', instance: '-', price: '-' };
  // On a divided instance the job's share counts, not the whole instance.
  const offer = submission?.job_runtime_data?.offer;
  const shared = offer && (offer.total_blocks ?? 1) > 1 ? offer : null;
  const resources = (shared ?? { instance: provisioned.instance_type }).instance.resources;
  const amount = shared?.price ?? provisioned.price;
  const gpu = instanceGpu(resources.gpus);
  const blocks = shared ? ` (${shared.blocks ?? 1}/${shared.total_blocks ?? 1})` : '';
  const reservation = provisioned.reservation ? ` (${provisioned.reservation})` : '';
  return {
    backend: backendWithHost(provisioned),
    gpu: gpu === null ? '-' : `gpu=${gpu}`,
    resources: instanceResources(resources),
    instance: `${provisioned.instance_type.name}${reservation}${blocks}`,
    price: `${price(amount)}${resources.spot ? ' (spot)' : ''}`,
  };
}

function when(instant: string, options: RunTableOptions): string {
  return options.now === null ? utcClock(instant) : relativeTime(instant, options.now);
}

/** Deployment numbers are shown while they differ, and always in verbose tables of services. */
function showsDeployments(run: Run, verbose: boolean): boolean {
  return run.run_spec.configuration.type === 'service' && (verbose || isRollingOut(run));
}

/** True while a job of an active run still has an older deployment. */
export function isRollingOut(run: Run): boolean {
  if (isRunFinished(run.status)) return false;
  const live = run.jobs.map(currentSubmission).filter((s) => s && !s.finished_at);
  return live.some((s) => (s?.deployment_num ?? 0) !== (run.deployment_num ?? 0));
}

function hasProbes(run: Run): boolean {
  return run.jobs.some((job) => (job.job_spec.probes ?? []).length > 0);
}
