/** Instances that get no new jobs by request of a person. */
import type { InstanceRecord, SchedulingRecord } from '../model/records.ts';
import { SECOND, type Timestamp } from '../model/values.ts';
import { instantText } from '../time/instant-text.ts';

/** Also while it is drained. */
export function isCordoned({ scheduling }: Pick<InstanceRecord, 'scheduling'>): boolean {
  return scheduling !== null;
}

const STATE_WORDS = {
  cordoned: 'cordoned',
  draining: 'being drained',
  drained: 'drained',
} as const;

const PROVIDERS_WORDS = 'being taken back';

/** `cordoned by ann until 2026-12-01 10:00:00 UTC: a fan is replaced`. */
export function schedulingText(scheduling: SchedulingRecord): string {
  const { by, reason, isTakenBack } = scheduling;
  const words = isTakenBack ? PROVIDERS_WORDS : STATE_WORDS[stateText(scheduling)];
  return `${words} by ${by}${endText(scheduling)}${reason === null ? '' : `: ${reason}`}`;
}

export function stateText({
  state,
  drainedAt,
}: SchedulingRecord): 'cordoned' | 'draining' | 'drained' {
  return state === 'draining' && drainedAt !== undefined ? 'drained' : state;
}

/** When the last job has to have left; null if the instance is not drained. */
export function drainDeadline({ state, since, seconds = 0 }: SchedulingRecord): Timestamp | null {
  return state === 'draining' ? since + seconds * SECOND : null;
}

function endText(scheduling: SchedulingRecord): string {
  const { until, drainedAt } = scheduling;
  const deadline = drainDeadline(scheduling);
  if (deadline === null) return until === null ? '' : ` until ${instantText(until)}`;
  return drainedAt === undefined ? ` (jobs leave until ${instantText(deadline)})` : '';
}
