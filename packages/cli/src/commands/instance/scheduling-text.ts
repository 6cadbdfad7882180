import type { Instance } from '@dstack/contract/wire';
import { localDateTime } from '../../format/time.ts';

/** `cordoned by ann until 2026-12-31 08:00:00: a fan is replaced`; empty if it may get new jobs. */
export function schedulingText({ scheduling }: Pick<Instance, 'scheduling'>): string {
  if (!scheduling) return '';
  const { state, by, until, reason } = scheduling;
  const who = by === null ? '' : ` by ${by}`;
  const end = until === null ? '' : ` until ${localDateTime(until)}`;
  return `${state}${who}${end}${reason === null ? '' : `: ${reason}`}`;
}
