import { parseToken } from './event-page.ts';
import type { LogPage, PageEvent, PollQuery } from './log-page.ts';

/**
 * A page of lines that are all in memory, oldest first, with the rules and tokens of `readPage`.
 */
export function pageOfLines(lines: readonly PageEvent[], query: PollQuery): LogPage {
  const token = parseToken(query.nextToken);
  if (query.limit === 0) return { events: [], nextToken: null };
  const { startTime, endTime, descending } = query;
  const from = startTime === null ? 0 : count(lines, (time) => time <= startTime);
  const to =
    endTime === null
      ? lines.length
      : count(lines, (time) => (descending ? time <= endTime : time < endTime));
  if (descending) {
    const end = Math.min(to, token ?? to);
    const first = Math.max(from, end - query.limit);
    const events = lines.slice(first, Math.max(first, end)).toReversed();
    return { events, nextToken: first > from && events.length > 0 ? String(first) : null };
  }
  const first = Math.max(from, token ?? 0);
  const end = Math.min(to, first + query.limit);
  const events = lines.slice(first, Math.max(first, end));
  return { events, nextToken: end < to && events.length > 0 ? String(end) : null };
}

/** Number of lines at the start that are within the bound. */
function count(lines: readonly PageEvent[], isWithin: (time: number) => boolean): number {
  const first = lines.findIndex(({ time }) => !isWithin(time));
  return first < 0 ? lines.length : first;
}
