import type { QueuedRun } from '@dstack/contract/wire';
import { durationInUnits } from '../format/time.ts';

/** `in 5m`, `in about 5m`, `now`; `-` if nothing is known. */
export function startText(
  { expected_start: at, is_about }: Pick<QueuedRun, 'expected_start' | 'is_about'>,
  now: number,
): string {
  if (at === null) return '-';
  const seconds = Math.ceil((Date.parse(at) - now) / 1000);
  if (seconds <= 0) return 'now';
  return `in ${is_about ? 'about ' : ''}${durationInUnits(seconds)}`;
}
