import type { Instance } from '@dstack/contract/wire';
import { utcTime } from '../../format/time.ts';

/** `cordoned by ann until 2026-12-31 08:00 UTC: a fan is replaced`; empty if it may get new jobs. */
export function careText({ scheduling }: Pick<Instance, 'scheduling'>): string {
  if (!scheduling) return '';
  const { state, by, until, deadline, reason } = scheduling;
  const who = by === null ? '' : ` by ${by}`;
  const isOpen = state === 'draining' && deadline !== null;
  const at = isOpen ? deadline : until;
  const end = at === null ? '' : ` until ${utcTime(at)}`;
  const word = state === 'draining' ? 'being drained' : state;
  return `${word}${who}${end}${reason === null ? '' : `: ${reason}`}`;
}
