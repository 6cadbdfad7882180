/**
 * How long an instance may take until its agent connects. In a queue of its backend it waits for as long as
 * the run retries to get capacity; the time to start counts from the end of that.
 */
import { formatDuration } from '@dstack/contract';
import { capabilitiesOf } from '../../capabilities/capabilities.ts';
import type { DecisionContext, InstanceSnapshot, JobRecord, Timestamp } from '../../model/index.ts';
import { provisioningTimeoutSeconds } from '../../status/index.ts';
import { silence, silenceDeadline } from '../../time/silence.ts';

type Starting = Pick<InstanceSnapshot, 'instance' | 'jobs' | 'observation'>;

/** Seconds for which the run of the job retries to get capacity; 0 = it does not. */
export function capacityWait({ spec: { retry } }: Pick<JobRecord, 'spec'>): number {
  return retry?.on_events.includes('no-capacity') ? retry.duration : 0;
}

/** When an instance in `provisioning` is given up. */
export function provisioningDeadline(
  snapshot: Starting,
  ctx: Pick<DecisionContext, 'unobserved'>,
): Timestamp {
  const { instance, observation } = snapshot;
  const begun = instance.startedAt ?? instance.statusChangedAt;
  if (isQueued(snapshot)) return silenceDeadline(ctx, begun, silence(queueSeconds(snapshot)));
  const hasLeft = capabilitiesOf(instance.backend).ownQueue ? (observation?.since ?? begun) : begun;
  return silenceDeadline(ctx, Math.max(begun, hasLeft), silence(limitOf(snapshot)));
}

/** Why it is given up, for people. */
export function provisioningFailure(snapshot: Starting, stage: string | null): string {
  const why = stage ? ` (${stage})` : '';
  const limit = limitOf(snapshot);
  if (!isQueued(snapshot)) return `The agent did not come up in ${limit / 60} minutes${why}`;
  const seconds = queueSeconds(snapshot);
  const next =
    seconds > limit
      ? ', as long as `retry.duration`'
      : '. Set `retry: {on_events: [no-capacity], duration: 12h}` to let it wait longer';
  return `It waited for ${formatDuration(seconds)} in the queue of the cluster${why}${next}`;
}

function isQueued({ observation }: Starting): boolean {
  return observation?.observation.state === 'pending' && observation.observation.queued === true;
}

function queueSeconds(snapshot: Starting): number {
  return Math.max(limitOf(snapshot), ...snapshot.jobs.map(capacityWait));
}

function limitOf({ instance }: Starting): number {
  return provisioningTimeoutSeconds(instance.backend, instance.offer?.instance.name ?? '');
}
