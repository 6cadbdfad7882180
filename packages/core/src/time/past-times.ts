import type { DecisionContext, Timestamp } from '../model/index.ts';
import { SECOND } from '../model/values.ts';

/** Instants of something that has happened, in all kinds of records. */
const PAST = [
  'appUpdatedAt',
  'arraySince',
  'at',
  'checkedAt',
  'claimedAt',
  'createdAt',
  'disconnectedAt',
  'drainedAt',
  'eligibleAt',
  'finishedAt',
  'lastConsolidatedAt',
  'lastJobFinishedAt',
  'lastJobProcessedAt',
  'pricedSince',
  'progressAt',
  'provisionedAt',
  'queuedAt',
  'receivedAt',
  'releasedAt',
  'reportedAt',
  'requestedAt',
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

/** Fields of records with records below them that have such instants. */
const PARTS = [
  'array',
  'attachment',
  'attachments',
  'autoscaling',
  'charge',
  'directive',
  'eviction',
  'fleet',
  'gang',
  'hold',
  'instance',
  'job',
  'jobs',
  'last',
  'maintenance',
  'missing',
  'notice',
  'queries',
  'reclaim',
  'reserved',
  'rollout',
  'run',
  'scheduling',
  'tracks',
  'users',
  'wanted',
  'uses',
  'volume',
] as const;

/** Those of them, and of snapshots, whose keys are not names of fields. */
const MAPS: ReadonlySet<string> = new Set(['autoscaling', 'gpuSamples', 'queries']);

/** Several servers on one database differ by less. */
const TOLERANCE = 5 * SECOND;

type Fields = Readonly<Record<string, unknown>>;

/**
 * A snapshot in which nothing has happened in the future: a server with a wrong clock wrote such a time.
 * It becomes the moment since which this server's time passes evenly, so that deadlines that depend on
 * it are kept instead of standing still. Returns the snapshot itself if no time is wrong.
 */
export function withPastTimes<S extends object>(
  snapshot: S,
  { now, steadySince }: Pick<DecisionContext, 'now' | 'steadySince'>,
): S {
  const wrong = { latest: now + TOLERANCE, since: steadySince ?? now };
  return record(snapshot as Fields, Object.keys(snapshot), wrong) as S;
}

/** Times after `latest` become `since`. */
interface Correction {
  readonly latest: Timestamp;
  readonly since: Timestamp;
}

function record(fields: Fields, parts: readonly string[], correction: Correction): Fields {
  let mended: Record<string, unknown> | null = null;
  for (const name of PAST) {
    const value = fields[name];
    if (typeof value !== 'number' || value <= correction.latest) continue;
    mended ??= { ...fields };
    mended[name] = correction.since;
  }
  for (const name of parts) {
    const value = fields[name];
    const part = partOf(value, MAPS.has(name), correction);
    if (part === value) continue;
    mended ??= { ...fields };
    mended[name] = part;
  }
  return mended ?? fields;
}

const IS_PAST: ReadonlySet<string> = new Set(PAST);

/** The latest of these times anywhere in a record that never changes: a pool has thousands of those. */
const latest = new WeakMap<object, Timestamp>();

export function latestIn(value: object): Timestamp {
  const known = latest.get(value);
  if (known !== undefined) return known;
  let found = -Infinity;
  for (const [name, part] of Object.entries(value)) {
    if (typeof part === 'number' && IS_PAST.has(name)) found = Math.max(found, part);
    else if (typeof part === 'object' && part !== null) found = Math.max(found, latestIn(part));
  }
  latest.set(value, found);
  return found;
}

/** Notes that no time in a list of records is later. The list must never change. */
export function noneLater(list: readonly object[], time: Timestamp): void {
  latest.set(list, time);
}

function partOf(value: unknown, isMap: boolean, correction: Correction): unknown {
  if (typeof value !== 'object' || value === null) return value;
  // Records of the store are frozen, and most of them are the same in each pass.
  if (Object.isFrozen(value) && latestIn(value) <= correction.latest) return value;
  if (Array.isArray(value)) return listOf(value, correction);
  const fields = value as Fields;
  return isMap ? mapOf(fields, correction) : record(fields, PARTS, correction);
}

function listOf(list: readonly unknown[], correction: Correction): readonly unknown[] {
  const mended = list.map((one) => partOf(one, false, correction));
  return mended.some((one, i) => one !== list[i]) ? mended : list;
}

function mapOf(map: Fields, correction: Correction): Fields {
  const entries = Object.entries(map);
  const mended = entries.map(([key, one]) => [key, partOf(one, false, correction)] as const);
  return mended.some(([, one], i) => one !== entries[i]?.[1]) ? Object.fromEntries(mended) : map;
}
