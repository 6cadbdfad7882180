/** Which resources of an account are orphans, and what is done with them. */
import { projectTarget } from '../events/events.ts';
import { recordEvent } from '../events/record-event.ts';
import type { BackendName, Id, NewEvent, Timestamp } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
import { evenSince } from './claim.ts';
import type { ListedThing, OrphanRecord } from './model.ts';

/**
 * Between two sweeps that find the same resource: rows and lists are read one after the other, and
 * a provider's list may lag behind.
 */
export const CONFIRM_AFTER = 300 * SECOND;

export interface SweepInput {
  readonly project: { readonly id: Id; readonly name: string };
  readonly backend: BackendName;
  readonly listed: readonly { readonly thing: ListedThing; readonly isAccountedFor: boolean }[];
  /** Found in this backend before. */
  readonly orphans: readonly OrphanRecord[];
  readonly mayEnd: boolean;
  /** The orphans that the last sweep of this process returned. */
  readonly watched: Watched;
  readonly now: Timestamp;
  /** Since when `now` has passed evenly; null = always. */
  readonly steadySince: Timestamp | null;
  readonly newId: () => Id;
}

/**
 * Since when each of the last sweeps of this process has found an orphan, by its id. What another server, or an
 * earlier process, has recorded may be of a clock that was off, so it ends nothing sooner.
 */
export type Watched = ReadonlyMap<Id, Timestamp>;

export interface SweepDecision {
  /** Every present orphan. */
  readonly orphans: readonly OrphanRecord[];
  /** Former orphans that are no longer any. */
  readonly settled: readonly OrphanRecord[];
  /** Orphans that this sweep confirmed. */
  readonly reported: readonly OrphanRecord[];
  /** Orphans that the backend has to end once the decision is written. */
  readonly toEnd: readonly OrphanRecord[];
  readonly watched: Watched;
  /** Some will be ended once this process has watched them for long enough. */
  readonly isWatching: boolean;
  readonly events: readonly NewEvent[];
}

export function decideSweep(input: SweepInput): SweepDecision {
  const unaccounted = input.listed.filter((one) => !one.isAccountedFor);
  const orphans = unaccounted.map(({ thing }) => seen(input, thing));
  const present = new Set(orphans.map(({ id }) => id));
  const watched = new Map(orphans.map(({ id }) => [id, watchedSince(input, id)]));
  const settled = input.orphans.filter(({ id }) => !present.has(id));
  const reported = orphans.filter(({ reportedAt }) => reportedAt === input.now);
  return {
    orphans,
    settled,
    reported,
    toEnd: orphans.filter(({ endRequestedAt }) => input.mayEnd && endRequestedAt !== null),
    watched,
    isWatching: orphans.some(
      (one) => input.mayEnd && isEndable(one) && one.endRequestedAt === null,
    ),
    events: [
      ...reported.map((orphan) => orphanFoundEvent(input.project, orphan)),
      ...settled
        .filter(({ reportedAt }) => reportedAt !== null)
        .map((orphan) => settledEvent(input, orphan)),
    ],
  };
}

/** How long after its last sweep another project still reports an orphan. */
const SPEAKS_FOR = 2 * 3600 * SECOND;

/**
 * Whether the sweep of another project, whose backend is the same account, reports the resource.
 * The first project that reported it continues to; before that the project with the lower id does.
 */
export function isReportedElsewhere(
  orphans: readonly OrphanRecord[],
  thing: ListedThing,
  { project, backend, now }: Pick<SweepInput, 'project' | 'backend' | 'now'>,
): boolean {
  const found = orphans.filter((orphan) => orphan.backend === backend && isSame(orphan, thing));
  const isMine = (orphan: OrphanRecord) => orphan.projectId === project.id;
  const isMineReported = found.some((one) => isMine(one) && one.reportedAt !== null);
  return found.some((orphan) => {
    if (isMine(orphan) || now - orphan.lastSeenAt >= SPEAKS_FOR) return false;
    const isReported = orphan.reportedAt !== null;
    return isReported === isMineReported ? orphan.projectId < project.id : isReported;
  });
}

/** A volume may have the only copy of its data: a person decides about it. */
export function isEndable({ kind }: Pick<OrphanRecord, 'kind'>): boolean {
  return kind !== 'volume';
}

function watchedSince({ watched, now, steadySince }: SweepInput, id: Id): Timestamp {
  return evenSince(watched.get(id) ?? now, now, steadySince);
}

function seen(input: SweepInput, thing: ListedThing): OrphanRecord {
  const { now, mayEnd } = input;
  const before = input.orphans.find((orphan) => isSame(orphan, thing));
  const firstSeenAt = before?.firstSeenAt ?? now;
  const isConfirmed = before !== undefined && now - firstSeenAt >= CONFIRM_AFTER;
  const reportedAt = before?.reportedAt ?? (isConfirmed ? now : null);
  const id = before?.id ?? input.newId();
  const isWatched = now - watchedSince(input, id) >= CONFIRM_AFTER;
  const isToEnd = reportedAt !== null && isWatched && mayEnd && isEndable(thing);
  return {
    ...thing,
    id,
    projectId: input.project.id,
    backend: input.backend,
    firstSeenAt,
    lastSeenAt: now,
    reportedAt,
    endRequestedAt: before?.endRequestedAt ?? (isToEnd ? now : null),
    error: before?.error ?? null,
  };
}

function isSame(orphan: OrphanRecord, { kind, handle }: ListedThing): boolean {
  return orphan.kind === kind && orphan.handle.id === handle.id;
}

const dataOf = ({ kind, handle, backend }: OrphanRecord) => ({ kind, id: handle.id, backend });

export function orphanFoundEvent(project: SweepInput['project'], orphan: OrphanRecord): NewEvent {
  const { owner } = orphan;
  const names = {
    project: owner.project || null,
    fleet: owner.fleet || null,
    instance: owner.instance || null,
  };
  return recordEvent({
    action: 'project.orphan_found',
    data: { ...dataOf(orphan), ...names },
    targets: [projectTarget(project)],
  });
}

function settledEvent({ listed, project }: SweepInput, orphan: OrphanRecord): NewEvent {
  const isListed = listed.some(({ thing }) => isSame(orphan, thing));
  const how = isListed
    ? 'accounted_for'
    : orphan.endRequestedAt === null
      ? 'disappeared'
      : 'terminated';
  return recordEvent({
    action: 'project.orphan_settled',
    data: { ...dataOf(orphan), how },
    targets: [projectTarget(project)],
  });
}
