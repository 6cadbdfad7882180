import type { Event, Run } from '@dstack/contract/wire';
import type { Command } from 'commander';
import type { Cli, Connection } from '../../context.ts';
import { requestedResources } from '../../format/resources.ts';
import { durationInUnits, localDateTime } from '../../format/time.ts';
import { backendWithRegion, price } from '../../format/values.ts';
import { getRun } from '../../runs/get-run.ts';
import { currentSubmission, isRunFinished, jobStatusText } from '../../runs/run-status.ts';
import { renderProperties } from '../../terminal/table.ts';
import { advice } from './advice.ts';

export interface ExplainOptions {
  readonly run: string;
  readonly json: boolean;
}

export function declareExplain(
  program: Command,
  cli: Cli,
  run: typeof runExplain = runExplain,
): void {
  program
    .command('explain')
    .description('Tell why a run is where it is: its story, the reason, what to do')
    .argument('<run>', 'name of the run')
    .option('--json', 'print JSON')
    .action((name, options) => run({ run: name, json: options.json ?? false }, cli));
}

export async function runExplain(options: ExplainOptions, cli: Cli): Promise<void> {
  const connection = await cli.connect();
  const run = await getRun(connection, options.run);
  const events = await connection.client.server.listEvents({
    within_runs: [run.id],
    ascending: true,
    limit: 100,
  });
  const offers = await offersNow(run, connection);
  const hints = advice(run, offers);
  if (options.json) {
    cli.io.json({ run, events, total_offers_now: offers, advice: hints }, 2);
    return;
  }
  const { paint } = cli.io;
  cli.io.print(renderProperties(facts(run, offers), paint));
  cli.io.print(`\n ${paint('bold', 'What happened')}`);
  for (const line of timeline(events)) cli.io.print(`  ${line}`);
  if (hints.length > 0) {
    cli.io.print(`\n ${paint('bold', 'What to do')}`);
    for (const hint of hints) cli.io.print(`  - ${hint}`);
  }
}

/** How many machines would fit now; null where that is of no interest. */
async function offersNow(run: Run, connection: Connection): Promise<number | null> {
  const reason = run.jobs.map((job) => currentSubmission(job)?.termination_reason);
  const starved = reason.includes('failed_to_start_due_to_no_capacity');
  const waiting = run.status === 'submitted' || run.status === 'pending';
  if (!starved && !waiting) return null;
  const plan = await connection.project.runs.getPlan({
    run_spec: run.run_spec,
    max_offers: 1,
    full_offers: false,
    unallocated_resources: false,
    for_offers_only: false,
  });
  return plan.job_plans[0]?.total_offers ?? 0;
}

function facts(run: Run, offers: number | null): (readonly [string, string])[] {
  const job = run.jobs.find((j) => currentSubmission(j)?.status === 'failed') ?? run.jobs[0];
  const submission = job && currentSubmission(job);
  const placed = submission?.job_provisioning_data;
  const lines: (readonly [string, string] | null)[] = [
    ['Run', run.run_spec.run_name ?? ''],
    [
      'Status',
      `${run.status}${run.termination_reason ? ` (${words(run.termination_reason)})` : ''}`,
    ],
    submission ? ['Job', jobStatusText(submission).text] : null,
    submission?.termination_reason ? ['Reason', words(submission.termination_reason)] : null,
    submission?.termination_reason_message
      ? ['Message', submission.termination_reason_message]
      : null,
    job ? ['Asked for', requestedResources(job.job_spec.requirements.resources)] : null,
    placed
      ? [
          'Machine',
          `${placed.instance_type.name}, ${backendWithRegion(placed.backend, placed.region)}, ${price(placed.price)} an hour`,
        ]
      : null,
    offers === null ? null : ['Offers now', String(offers)],
    isRunFinished(run.status) ? ['Cost', price(run.cost ?? 0)] : null,
  ];
  return lines.filter((line) => line !== null);
}

/** Events with the time that passed since the one before. */
function timeline(events: readonly Event[]): string[] {
  let previous: number | null = null;
  return events.map((event) => {
    const at = Date.parse(event.recorded_at);
    const passed = previous === null ? '' : ` +${elapsed(at - previous)}`;
    previous = at;
    return `${localDateTime(event.recorded_at)}${passed.padEnd(9)} ${event.message}`;
  });
}

function elapsed(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)}s` : durationInUnits(ms / 1000);
}

function words(reason: string): string {
  return reason.replaceAll('_', ' ');
}
