import type { Run } from '@dstack/contract/wire';
import { currentSubmission } from '../../runs/run-status.ts';

/**
 * What a user can do about the state of a run, with the exact command.
 *
 * @param offers machines that would fit now; null = was not asked
 */
export function advice(run: Run, offers: number | null): string[] {
  const name = run.run_spec.run_name ?? '';
  const submissions = run.jobs.map(currentSubmission).filter((s) => s !== undefined);
  const reasons = new Set(submissions.map((s) => s.termination_reason));
  const hints: string[] = [];
  if (reasons.has('failed_to_start_due_to_no_capacity') || offers === 0) {
    hints.push(...capacityHints(run, offers));
  }
  if (reasons.has('container_exited_with_error')) {
    const code = submissions.find((s) => s.exit_status)?.exit_status;
    hints.push(`the command ended with exit status ${code ?? '?'}: dstack logs ${name}`);
  }
  if (reasons.has('creating_container_error') || reasons.has('executor_error')) {
    hints.push(`the job could not be started: dstack logs -d ${name}`);
  }
  if (reasons.has('volume_error')) hints.push('look at the volumes: dstack volume -v');
  if (reasons.has('max_duration_exceeded')) hints.push('raise --max-duration, or pass off');
  if (reasons.has('instance_unreachable')) {
    hints.push('the host was lost: dstack fleet -v');
    hints.push('let such a run start again by itself: `retry: {on_events: [error]}`');
  }
  if (submissions.some((s) => s.status_message?.endsWith('(unreachable)'))) {
    hints.push('its host is out of reach for now, the job goes on there: dstack fleet -v');
  }
  if (run.status === 'running') hints.push(`see its output: dstack logs -f ${name}`);
  if (run.status === 'terminating') hints.push(`end it at once: dstack stop --abort ${name}`);
  return hints;
}

function capacityHints(run: Run, offers: number | null): string[] {
  const { configuration } = run.run_spec;
  const hints: string[] = [];
  if (offers !== null && offers > 0) {
    hints.push(`${offers} offers would fit now: apply it again, or let it wait with --retry`);
  }
  if (configuration.max_price) hints.push(`raise --max-price (now ${configuration.max_price})`);
  if (configuration.regions?.length) hints.push('allow more regions (--region)');
  if (configuration.backends?.length) hints.push('allow more backends (--backend)');
  if (configuration.instance_types?.length)
    hints.push('allow more instance types (--instance-type)');
  if (configuration.spot_policy === 'spot') hints.push('allow on-demand instances: --spot-auto');
  if (configuration.fleets?.length) hints.push('allow more fleets (--fleet)');
  hints.push('see what there is: dstack offer, dstack fleet');
  return hints;
}
