import type { ProjectRole } from '@dstack/contract/wire';
import type { Id, NewEvent } from '@dstack/core';
import type { Page } from '../base/page.ts';
import type { Created, WriteExtras } from '../base/writes.ts';
import type { MemberRecord, ProjectRecord, UserRecord } from '../schema/account-records.ts';

export type NewProject = Omit<ProjectRecord, 'deleted' | 'originalName' | 'defaultGatewayId'> & {
  readonly sshPrivateKey: string;
};

export interface ProjectMember {
  readonly user: UserRecord;
  readonly role: ProjectRole;
}

export interface ProjectAccess {
  readonly project: ProjectRecord;
  /** Null: not a member. */
  readonly role: ProjectRole | null;
}

export interface ProjectFilter {
  /** Only projects that this user may see: their own and, with `includePublic`, public ones. */
  readonly visibleTo?: { readonly userId: Id; readonly includePublic: boolean } | null;
  /** Only projects that this user owns or is a member of. */
  readonly ofUser?: Id | null;
  /** Case-insensitive substring. */
  readonly namePattern?: string | null;
  /** Only this one. */
  readonly id?: Id | null;
  readonly page?: Page;
}

export type DeleteProjectsOutcome =
  | { readonly type: 'deleted' }
  | { readonly type: 'in-use'; readonly uses: readonly ProjectUse[] };

export interface Projects {
  /** Makes the owner an `admin` member and imports every global export. */
  insert(project: NewProject, extras?: WriteExtras): Promise<Created>;
  /** Also deleted ones. */
  byId(id: Id): Promise<ProjectRecord | null>;
  byIds(ids: readonly Id[]): Promise<ProjectRecord[]>;
  /** Not deleted; case-insensitive. */
  byName(name: string): Promise<ProjectRecord | null>;
  byNames(names: readonly string[]): Promise<ProjectRecord[]>;
  /** The project in a request's path and the caller's role in it, in one query. */
  access(name: string, userId: Id): Promise<ProjectAccess | null>;
  /** Not deleted. */
  list(filter: ProjectFilter): Promise<ProjectRecord[]>;
  count(filter: Omit<ProjectFilter, 'page'>): Promise<number>;
  /** Ids of projects that the user is a member of. */
  idsOfMember(userId: Id): Promise<Id[]>;
  /** Projects of this member with neither own nor imported fleet, oldest first. */
  withoutFleets(userId: Id): Promise<ProjectRecord[]>;
  ownedCount(userId: Id): Promise<number>;
  privateKey(id: Id): Promise<string | null>;
  update(
    id: Id,
    set: Partial<Pick<ProjectRecord, 'isPublic' | 'templatesRepo' | 'defaultGatewayId'>>,
    extras?: WriteExtras,
  ): Promise<void>;
  /** Names of active runs, fleets and volumes, which prevent the deletion of these projects. */
  inUse(ids: readonly Id[]): Promise<ProjectUse[]>;
  /**
   * All or none, and none while something is active in one of them: nothing can be added between
   * the check and the deletion. Deleted projects get another name; their exports and imports are
   * deleted. Projects that are deleted already are skipped, without an event.
   */
  delete(
    ids: readonly Id[],
    event?: (id: Id) => NewEvent | undefined,
  ): Promise<DeleteProjectsOutcome>;

  /** In their set order. */
  members(projectId: Id): Promise<ProjectMember[]>;
  /** Memberships of one user in these projects. */
  memberships(userId: Id, projectIds: readonly Id[]): Promise<MemberRecord[]>;
  role(projectId: Id, userId: Id): Promise<ProjectRole | null>;
  setMembers(
    projectId: Id,
    members: readonly { readonly userId: Id; readonly role: ProjectRole }[],
    event?: MembersEvent,
  ): Promise<void>;
  /** Adds, or changes the role. */
  addMembers(
    projectId: Id,
    members: readonly { readonly userId: Id; readonly role: ProjectRole }[],
    event?: MembersEvent,
  ): Promise<void>;
  removeMembers(projectId: Id, userIds: readonly Id[], event?: MembersEvent): Promise<void>;
}

/** The event of a change, given the members as the transaction of the change has found them. */
export type MembersEvent = (before: readonly ProjectMember[]) => NewEvent;

export interface ProjectUse {
  readonly projectId: Id;
  readonly projectName: string;
  readonly activeRuns: number;
  readonly activeFleets: number;
  readonly activeVolumes: number;
}
