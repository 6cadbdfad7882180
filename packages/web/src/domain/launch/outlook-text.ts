import type { RunPlan } from '@dstack/contract/wire';
import { absoluteTime } from '../../ui/time/format-time.ts';

/** Why the new run ends or waits if there is no place for it now; null: it starts. */
export function outlookText(plan: RunPlan): string | null {
  const { outlook, job_plans: jobs } = plan;
  const hasOffers = jobs.some(({ total_offers }) => total_offers > 0);
  switch (outlook) {
    case 'ends':
      if (!hasOffers) return 'It ends at once, because no fleet of the project can take it now.';
      return 'It ends at once, because nothing that matches is free now. With retry on no-capacity it would wait.';
    case 'waits':
      if (!hasOffers) return 'It waits until a fleet of the project can take it.';
      return `It waits, because nothing that matches is free now.${queueText(plan)}`;
    case 'queued':
      return 'It waits in the queue of the cluster, because no node is free now.';
    case 'starts':
    case null:
    case undefined:
      return null;
  }
}

function queueText({ queue_place: place, expected_start: start, is_about }: RunPlan): string {
  const parts = [
    ...(place == null ? [] : [`is at place ${place} of the queue`]),
    ...(start == null
      ? []
      : [`is expected to start ${is_about ? 'about ' : ''}at ${absoluteTime(Date.parse(start))}`]),
  ];
  return parts.length === 0 ? '' : ` It ${parts.join(' and ')}.`;
}
