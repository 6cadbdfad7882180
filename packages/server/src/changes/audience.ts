import type { Id } from '@dstack/core';
import type { Store, UserRecord } from '@dstack/store';
import { confinement } from '../callers/scope.ts';

/** Who may see a message: members of these projects, these users, and members of importing projects. */
export interface Audience {
  readonly projectIds: readonly Id[];
  readonly userIds: readonly Id[];
  /** The fleet or gateway that other projects may import; null = none. */
  readonly sharedId: Id | null;
}

/** A caller who receives changes, and the projects and imports that the caller may see. */
export interface ChangeViewer {
  /** '' for programs, which see nothing of their owner. */
  readonly userId: Id;
  /** Null: a global admin, who sees everything. */
  readonly projectIds: ReadonlySet<Id> | null;
  /** Imported fleets and gateways. */
  readonly sharedIds: ReadonlySet<Id>;
}

export async function viewerOf(
  store: Pick<Store, 'projects' | 'exports'>,
  user: UserRecord,
): Promise<ChangeViewer> {
  const only = confinement(user);
  if (only === null && user.globalRole === 'admin') {
    return { userId: user.id, projectIds: null, sharedIds: new Set() };
  }
  const projectIds = only === null ? await store.projects.idsOfMember(user.id) : [only];
  const fleets = await store.exports.importedFleetIds(projectIds);
  const gateways = await store.exports.importedGatewayIds(projectIds);
  return {
    userId: only === null ? user.id : '',
    projectIds: new Set(projectIds),
    sharedIds: new Set([...fleets, ...gateways]),
  };
}

export function sees(viewer: ChangeViewer, audience: Audience): boolean {
  const { userId, projectIds, sharedIds } = viewer;
  return (
    projectIds === null ||
    audience.projectIds.some((id) => projectIds.has(id)) ||
    audience.userIds.includes(userId) ||
    (audience.sharedId !== null && sharedIds.has(audience.sharedId))
  );
}

export function isSameViewer(a: ChangeViewer, b: ChangeViewer): boolean {
  return (
    isSameSet(a.projectIds ?? EVERYTHING, b.projectIds ?? EVERYTHING) &&
    isSameSet(a.sharedIds, b.sharedIds)
  );
}

/** The project ids of a global admin in comparisons; no real id is empty, so no other viewer has this set. */
const EVERYTHING: ReadonlySet<Id> = new Set(['']);

function isSameSet(a: ReadonlySet<Id>, b: ReadonlySet<Id>): boolean {
  return a.size === b.size && [...a].every((id) => b.has(id));
}
