/** Instances that get no new jobs by request of a person. */
import type { InstanceRecord, SchedulingRecord } from '../model/records.ts';
import { instantText } from '../time/instant-text.ts';

export function isCordoned({ scheduling }: Pick<InstanceRecord, 'scheduling'>): boolean {
  return scheduling !== null;
}

/** `by ann until 2026-12-01 10:00:00 UTC: a fan is replaced`, after `cordoned`. */
export function schedulingDetail({ by, until, reason }: SchedulingRecord): string {
  const end = until === null ? '' : ` until ${instantText(until)}`;
  return `by ${by}${end}${reason === null ? '' : `: ${reason}`}`;
}
