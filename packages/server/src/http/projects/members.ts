/** Members of a project and the permissions to change them. */
import { accessDenied, type MemberSetting, ruleError } from '@dstack/contract/api';
import type { ProjectRole } from '@dstack/contract/wire';
import { projectTarget, recordEvent } from '@dstack/core';
import type { MembersEvent, ProjectMember, ProjectRecord, UserRecord } from '@dstack/store';
import { actorOf } from '../event-actor.ts';
import type { HttpDeps } from '../ports.ts';

/** The caller and their role in the project; global admins count as project admins. */
export interface Requester {
  readonly user: UserRecord;
  readonly role: ProjectRole | null;
}

interface Wanted {
  readonly user: UserRecord;
  readonly role: ProjectRole;
}

const isManager = (role: ProjectRole | null) => role === 'admin' || role === 'manager';

/** Replaces the list. Unknown users are ignored, as in dstack 0.22.5; the order is kept. */
export async function setMembers(
  deps: HttpDeps,
  project: ProjectRecord,
  settings: readonly MemberSetting[],
  requester: Requester,
): Promise<void> {
  const { wanted } = await resolve(deps, settings);
  checkDistinct(wanted);
  if (requester.role === 'manager') {
    const current = await deps.store.projects.members(project.id);
    if (!hasSameAdmins(current, wanted)) {
      throw accessDenied('Access denied: managers may not change who is a project admin');
    }
  }
  const event = membersEvent('project.members_set', project, requester, wanted);
  await deps.store.projects.setMembers(project.id, members(wanted), event);
}

/**
 * Adds members or changes roles. Without the permission to manage members, the caller may only join
 * a public project as `user`.
 */
export async function addMembers(
  deps: HttpDeps,
  project: ProjectRecord,
  settings: readonly MemberSetting[],
  requester: Requester,
): Promise<void> {
  const { wanted, unknown } = await resolve(deps, settings);
  if (!isManager(requester.role)) checkJoins(project, settings, wanted, requester.user);
  if (requester.role === 'manager') await checkNoAdmins(deps, project, wanted);
  const [missing] = unknown;
  if (missing !== undefined) throw ruleError(`User not found: ${missing}`);
  checkDistinct(wanted);
  const event = membersEvent('project.members_added', project, requester, wanted);
  await deps.store.projects.addMembers(project.id, members(wanted), event);
}

/** Without the permission to manage members, the caller may only leave. */
export async function removeMembers(
  deps: HttpDeps,
  project: ProjectRecord,
  names: readonly string[],
  requester: Requester,
): Promise<void> {
  const users = await findUsers(deps, names);
  const current = await deps.store.projects.members(project.id);
  const isSelf = users.size === 1 && [...users.values()][0]?.id === requester.user.id;
  if (!isManager(requester.role) && !(isSelf && names.length === 1)) {
    throw accessDenied('Access denied: members may only remove themselves');
  }
  const leaving = names.map((name) => {
    const user = users.get(name.toLowerCase());
    const member = current.find((one) => one.user.id === user?.id);
    if (user === undefined) throw ruleError(`User not found: ${name}`);
    if (member === undefined) throw ruleError(`User is not a member of the project: ${name}`);
    return member;
  });
  checkAdminsStay(current, leaving, requester);
  const ids = leaving.map((member) => member.user.id);
  const event = membersEvent('project.members_removed', project, requester, leaving);
  await deps.store.projects.removeMembers(project.id, ids, event);
}

/** Members whom one event names. */
const MEMBERS_NAMED = 50;

type MembersAction = 'project.members_set' | 'project.members_added' | 'project.members_removed';

function membersEvent(
  action: MembersAction,
  project: ProjectRecord,
  { user: requester }: Requester,
  about: readonly Wanted[],
): MembersEvent {
  const named = about.slice(0, MEMBERS_NAMED);
  const members = named.map(({ user, role }) => ({ username: user.name, role }));
  return (before) =>
    recordEvent({
      action,
      data: {
        members,
        omitted: about.length - named.length,
        changes: roleChanges(action, before, about).slice(0, MEMBERS_NAMED),
      },
      ...{ targets: [projectTarget(project)], actor: actorOf(requester) },
    });
}

function roleChanges(action: MembersAction, before: readonly Wanted[], about: readonly Wanted[]) {
  const old = new Map(before.map(({ user, role }) => [user.id, role]));
  const now = new Map(action === 'project.members_set' ? [] : old);
  for (const { user, role } of about) {
    if (action === 'project.members_removed') now.delete(user.id);
    else now.set(user.id, role);
  }
  const names = new Map([...before, ...about].map(({ user }) => [user.id, user.name]));
  return [...names]
    .map(([id, username]) => ({ username, from: old.get(id) ?? null, to: now.get(id) ?? null }))
    .filter(({ from, to }) => from !== to);
}

async function resolve(
  deps: HttpDeps,
  settings: readonly MemberSetting[],
): Promise<{ readonly wanted: Wanted[]; readonly unknown: string[] }> {
  const users = await findUsers(
    deps,
    settings.map((setting) => setting.username),
  );
  const wanted: Wanted[] = [];
  const unknown: string[] = [];
  for (const { username, project_role: role } of settings) {
    const user = users.get(username.toLowerCase());
    if (user === undefined) unknown.push(username);
    else wanted.push({ user, role });
  }
  return { wanted, unknown };
}

/** By name or e-mail, keyed by the lower-case text that was given. */
async function findUsers(
  deps: HttpDeps,
  names: readonly string[],
): Promise<Map<string, UserRecord>> {
  const found = new Map<string, UserRecord>();
  for (const user of await deps.store.users.byNames(names)) {
    found.set(user.name.toLowerCase(), user);
  }
  for (const name of names) {
    if (found.has(name.toLowerCase()) || !name.includes('@')) continue;
    const user = await deps.store.users.byEmail(name);
    if (user !== null) found.set(name.toLowerCase(), user);
  }
  return found;
}

function members(wanted: readonly Wanted[]) {
  return wanted.map(({ user, role }) => ({ userId: user.id, role }));
}

function checkDistinct(wanted: readonly Wanted[]): void {
  const seen = new Set<string>();
  for (const { user } of wanted) {
    if (seen.has(user.id)) throw ruleError(`Duplicate member: ${user.name}`);
    seen.add(user.id);
  }
}

function hasSameAdmins(current: readonly ProjectMember[], wanted: readonly Wanted[]): boolean {
  const admins = (list: readonly Wanted[]) =>
    list
      .filter((member) => member.role === 'admin')
      .map((member) => member.user.id)
      .sort()
      .join();
  return admins(current) === admins(wanted);
}

function checkJoins(
  project: ProjectRecord,
  settings: readonly MemberSetting[],
  wanted: readonly Wanted[],
  user: UserRecord,
): void {
  const [only] = wanted;
  const isJoin = settings.length === 1 && only?.user.id === user.id && only.role === 'user';
  if (project.isPublic && isJoin) return;
  throw accessDenied('Access denied: only managers and admins of the project may add members');
}

/** A manager can neither appoint nor demote an admin. */
async function checkNoAdmins(
  deps: HttpDeps,
  project: ProjectRecord,
  wanted: readonly Wanted[],
): Promise<void> {
  const current = await deps.store.projects.members(project.id);
  const admins = new Set(current.filter((one) => one.role === 'admin').map((one) => one.user.id));
  const touchesAdmin = ({ user, role }: Wanted) => role === 'admin' || admins.has(user.id);
  if (wanted.some(touchesAdmin)) {
    throw accessDenied('Access denied: managers may not change who is a project admin');
  }
}

function checkAdminsStay(
  current: readonly ProjectMember[],
  leaving: readonly ProjectMember[],
  requester: Requester,
): void {
  const admins = current.filter((member) => member.role === 'admin');
  const leavingAdmins = leaving.filter((member) => member.role === 'admin');
  if (leavingAdmins.length === 0) return;
  const isOther = (member: ProjectMember) => member.user.id !== requester.user.id;
  if (requester.user.globalRole !== 'admin' && leavingAdmins.some(isOther)) {
    throw accessDenied('Access denied: only global admins may remove project admins');
  }
  if (leavingAdmins.length === admins.length) {
    throw ruleError('A project needs an admin: make another member admin first');
  }
}
