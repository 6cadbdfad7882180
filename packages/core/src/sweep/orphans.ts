/** Which resources of an account are orphans, and what is done with them. */
import { newEvent, projectTarget } from '../events/events.ts';
import type { BackendName, Id, NewEvent, Timestamp } from '../model/index.ts';
import { SECOND } from '../model/values.ts';
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
  readonly now: Timestamp;
  readonly newId: () => Id;
}

export interface SweepDecision {
  /** Every present orphan. */
  readonly orphans: readonly OrphanRecord[];
  /** Former orphans that are no longer any. */
  readonly settled: readonly OrphanRecord[];
  /** Orphans that this sweep confirmed. */
  readonly reported: readonly OrphanRecord[];
  /** Orphans that the backend has to end once the decision is written. */
  readonly toEnd: readonly OrphanRecord[];
  readonly events: readonly NewEvent[];
}

export function decideSweep(input: SweepInput): SweepDecision {
  const unaccounted = input.listed.filter((one) => !one.isAccountedFor);
  const orphans = unaccounted.map(({ thing }) => seen(input, thing));
  const present = new Set(orphans.map(({ id }) => id));
  const settled = input.orphans.filter(({ id }) => !present.has(id));
  const reported = orphans.filter(({ reportedAt }) => reportedAt === input.now);
  return {
    orphans,
    settled,
    reported,
    toEnd: orphans.filter(({ endRequestedAt }) => input.mayEnd && endRequestedAt !== null),
    events: [
      ...reported.map((orphan) => eventOf(input, foundText(orphan))),
      ...settled
        .filter(({ reportedAt }) => reportedAt !== null)
        .map((orphan) => eventOf(input, settledText(input, orphan))),
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

function seen({ now, mayEnd, ...input }: SweepInput, thing: ListedThing): OrphanRecord {
  const before = input.orphans.find((orphan) => isSame(orphan, thing));
  const firstSeenAt = before?.firstSeenAt ?? now;
  const isConfirmed = before !== undefined && now - firstSeenAt >= CONFIRM_AFTER;
  const reportedAt = before?.reportedAt ?? (isConfirmed ? now : null);
  const isToEnd = reportedAt !== null && mayEnd && isEndable(thing);
  return {
    ...thing,
    id: before?.id ?? input.newId(),
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

function eventOf({ project }: SweepInput, text: string): NewEvent {
  return newEvent(text, [projectTarget(project)]);
}

const nameOf = ({ kind, handle, backend }: OrphanRecord): string =>
  `Orphaned ${kind} ${handle.id} in ${backend}`;

export function foundText(orphan: OrphanRecord): string {
  const { project, fleet, instance } = orphan.owner;
  const parts = { project, fleet, instance };
  const made = Object.entries(parts).filter(([, name]) => name !== '');
  const whose = made.map(([what, name]) => `${what} ${name}`).join(', ');
  const maker = whose === '' ? '' : ` (created for ${whose})`;
  return `${nameOf(orphan)} found: it carries this server's tag${maker}, but the server has no record of it`;
}

function settledText({ listed }: SweepInput, orphan: OrphanRecord): string {
  if (listed.some(({ thing }) => isSame(orphan, thing))) {
    return `${nameOf(orphan)} is accounted for again`;
  }
  if (orphan.endRequestedAt !== null) return `${nameOf(orphan)} terminated by the server`;
  return `${nameOf(orphan)} no longer exists`;
}
