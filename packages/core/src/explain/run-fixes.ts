/** Fixes that do not concern capacity. */
import type { ExplainRule, Fix } from '@dstack/contract/wire';
import { isServerHost } from '../capabilities/capabilities.ts';
import type { ArraySnapshot, JobRecord } from '../model/index.ts';
import type { RunPass } from '../reconcile/run/run-pass.ts';
import { isRunFinished, isRunPending, isRunTerminating } from '../status/index.ts';
import { applyCommand } from './commands.ts';
import { fix } from './diagnosis.ts';
import { wasRefusedByOffers } from './endings.ts';
import type { JobDiagnosis } from './job-diagnosis.ts';
import type { Waiting } from './waiting.ts';

export function runFixes(
  pass: RunPass,
  jobs: readonly JobDiagnosis[],
  waiting: Waiting | null,
): Fix[] {
  const { run } = pass;
  const rules = new Set(jobs.flatMap((one) => one.reasons.map((reason) => reason.rule)));
  const fixes = [
    ...(isRunFinished(run.status) ? endedFixes(pass, jobs, waiting) : []),
    ...(isRunTerminating(run.status)
      ? [fix('End it at once', { command: `dstack stop --abort ${run.name}` })]
      : []),
    ...liveFixes(pass, jobs, rules),
  ];
  return [...new Map(fixes.map((one) => [one.text + one.command, one])).values()];
}

const LOG_RULES: readonly ExplainRule[] = ['crash_loop', 'retry_delay', 'probes'];

function liveFixes(
  pass: RunPass,
  jobs: readonly JobDiagnosis[],
  rules: ReadonlySet<ExplainRule>,
): Fix[] {
  const { run } = pass;
  if (isRunFinished(run.status)) return [];
  if (run.hold !== null && isRunPending(run.status)) {
    return [fix('Let it into the queue', { command: `dstack release ${run.name}` })];
  }
  if (isRunPending(run.status) && run.dependencyState === 'unmet') {
    return [fix('Start it all the same', { command: `dstack release ${run.name}` })];
  }
  if (isRunPending(run.status) && run.dependencyState === 'open') {
    return pass.snapshot.dependencies
      .filter(({ outcome }) => outcome === null)
      .map(({ name }) =>
        fix(`See what run ${name} does`, { command: `dstack explain run ${name}` }),
      );
  }
  const fixes: Fix[] = [];
  if (LOG_RULES.some((rule) => rules.has(rule)) || jobs.some((one) => one.state === 'running')) {
    fixes.push(fix('See what it prints', { command: `dstack logs ${run.name}` }));
  }
  if (rules.has('crash_loop')) {
    fixes.push(fix('Stop it until it is repaired', { command: `dstack stop ${run.name}` }));
  }
  for (const { job } of jobs.filter((one) => one.state === 'unreachable')) {
    const instance = pass.instanceOf(job);
    const name = instance?.projectId === run.projectId ? instance.name : null;
    if (name)
      fixes.push(
        fix(`See why ${name} is unreachable`, { command: `dstack explain instance ${name}` }),
      );
  }
  const url = run.serviceSpec?.url;
  if (jobs.every((one) => one.state === 'ended') && url && isRunPending(run.status)) {
    fixes.push(fix('Send it a request', { value: url }));
  }
  return fixes;
}

function endedFixes(pass: RunPass, jobs: readonly JobDiagnosis[], waiting: Waiting | null): Fix[] {
  const { run } = pass;
  if (pass.snapshot.array !== undefined) return arrayFixes(run.name, pass.snapshot.array);
  const reasons = new Set(jobs.map(({ job }) => job.terminationReason));
  const fixes: Fix[] = [];
  if (waiting?.look.option) {
    const text = jobs.some(({ job }) => wasRefusedByOffers(job))
      ? 'Correct what the offers were refused for, then apply it again'
      : 'Apply it again: there is a place now';
    fixes.push(fix(text, { command: applyCommand(run) }));
  }
  if (reasons.has('container_exited_with_error')) {
    fixes.push(fix('See what it printed', { command: `dstack logs ${run.name}` }));
  }
  if (reasons.has('creating_container_error') || reasons.has('executor_error')) {
    fixes.push(
      fix('See what server and agent did for it', { command: `dstack logs -d ${run.name}` }),
    );
  }
  if (jobs.some(({ job }) => lacksDefaultImage(pass, job))) {
    fixes.push(
      fix('Without a registry, start the server so that jobs are plain processes', {
        value: 'DSTACK_LOCAL_EXECUTOR=process',
      }),
    );
  }
  if (reasons.has('volume_error'))
    fixes.push(fix('See the volumes', { command: 'dstack volume -v' }));
  if (reasons.has('max_duration_exceeded')) {
    const command = applyCommand(run, ['--max-duration', 'off']);
    fixes.push(fix('Let it run for as long as it takes', { command, value: 'max_duration: off' }));
  }
  if (reasons.has('instance_unreachable') || reasons.has('interrupted_by_no_capacity')) {
    const command = applyCommand(run, ['--retry']);
    const value = 'retry:\n  on_events: [error, interruption]\n  duration: 1d';
    fixes.push(fix('Let such a run start again by itself', { command, value }));
  }
  return fixes;
}

/** Its jobs are those of its members, which have explanations of their own. */
function arrayFixes(name: string, { members, total }: ArraySnapshot): Fix[] {
  if (members.done === total) return [];
  const fixes: Fix[] = [];
  if (members.failed > 0) {
    fixes.push(
      fix('See which members failed, and why: `dstack explain NAME` of one of them', {
        command: `dstack ps --members ${name}`,
      }),
    );
  }
  const text = 'Run again those members that are not done';
  return [...fixes, fix(text, { command: `dstack rerun --failed ${name}` })];
}

/** On the server's machine, which can run jobs without images. */
function lacksDefaultImage(pass: RunPass, job: JobRecord): boolean {
  const { configuration } = pass.run.spec;
  const backend = pass.instanceOf(job)?.backend ?? job.provisioningData?.backend ?? null;
  const isPull = job.terminationMessage?.startsWith('pullImage error') ?? false;
  return isPull && !configuration.image && isServerHost(backend);
}
