import type { DecisionContext, Timestamp } from '../model/index.ts';
import { SECOND } from '../model/values.ts';

/** Instants of something that has happened, in all kinds of records. */
const PAST = [
  'appUpdatedAt',
  'checkedAt',
  'createdAt',
  'disconnectedAt',
  'finishedAt',
  'lastConsolidatedAt',
  'lastJobFinishedAt',
  'lastJobProcessedAt',
  'progressAt',
  'provisionedAt',
  'queuedAt',
  'receivedAt',
  'releasedAt',
  'reportedAt',
  'roomSince',
  'runningAt',
  'since',
  'startedAt',
  'statusChangedAt',
  'stopRequestedAt',
  'submittedAt',
  'unreachableSince',
  'updatedAt',
  'waitingSince',
] as const;

/** Several servers on one database differ by less. */
const TOLERANCE = 5 * SECOND;

type Fields = Readonly<Record<string, unknown>>;

/**
 * A snapshot in which nothing has happened in the future: a server with a wrong clock wrote such a time.
 * It becomes the moment since which this server's time passes evenly, so that deadlines that depend on
 * it are kept instead of standing still. Returns the snapshot itself if no time is wrong.
 */
export function withPastTimes<S extends object>(snapshot: S, ctx: DecisionContext): S {
  const latest = ctx.now + TOLERANCE;
  const since = ctx.steadySince ?? ctx.now;
  const changed: Record<string, unknown> = {};
  for (const [name, part] of Object.entries(snapshot)) {
    const mended = Array.isArray(part)
      ? listOf(part, latest, since)
      : recordOf(part, latest, since);
    if (mended !== part) changed[name] = mended;
  }
  return Object.keys(changed).length === 0 ? snapshot : { ...snapshot, ...changed };
}

function listOf(list: readonly unknown[], latest: Timestamp, since: Timestamp): readonly unknown[] {
  const mended = list.map((one) => recordOf(one, latest, since));
  return mended.some((one, i) => one !== list[i]) ? mended : list;
}

function recordOf(record: unknown, latest: Timestamp, since: Timestamp): unknown {
  if (typeof record !== 'object' || record === null) return record;
  const fields = record as Fields;
  let mended: Record<string, unknown> | null = null;
  for (const name of PAST) {
    const value = fields[name];
    if (typeof value !== 'number' || value <= latest) continue;
    mended ??= { ...fields };
    mended[name] = since;
  }
  return mended ?? record;
}
