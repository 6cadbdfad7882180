/** Users, their tokens and key pairs. */
import { randomUUID } from 'node:crypto';
import {
  accessDenied,
  alreadyExists,
  type CreateUserRequest,
  type ListUsersRequest,
  notExists,
  ruleError,
} from '@dstack/contract/api';
import type { User, UsersInfoList, UserWithCreds } from '@dstack/contract/wire';
import { fieldChanges, recordEvent, userTarget } from '@dstack/core';
import type { SessionRecord, UserFilter, UserRecord } from '@dstack/store';
import { isConfined } from '../../callers/scope.ts';
import { actorOf } from '../event-actor.ts';
import { wireUser, wireUserWithCreds } from '../mapping/user.ts';
import { checkName } from '../names.ts';
import { pageOf } from '../paging.ts';
import type { HttpDeps } from '../ports.ts';

/** The user of every installation. */
const FIRST_ADMIN = 'admin';

const isAdmin = (user: UserRecord) => user.globalRole === 'admin';

export async function listUsers(
  deps: HttpDeps,
  caller: UserRecord,
  query: ListUsersRequest,
): Promise<User[] | UsersInfoList> {
  const filter: UserFilter = {
    namePattern: query.name_pattern,
    onlyId: isAdmin(caller) ? null : caller.id,
  };
  const page = pageOf(query.prev_created_at, query.prev_id, query);
  const found = await deps.store.users.list({ ...filter, page });
  const users = found.map((user) => wireUser(user, deps.settings.permissions));
  if (!query.return_total_count) return users;
  return { total_count: await deps.store.users.count(filter), users };
}

/** With credentials; a user without a key pair gets one. */
async function userWithCreds(deps: HttpDeps, user: UserRecord): Promise<UserWithCreds> {
  const { store, settings } = deps;
  if (isConfined(user)) {
    // A job: it has only its own token of its user's credentials.
    const own = { token: user.token, sshPrivateKey: null };
    return wireUserWithCreds(user, own, settings.permissions);
  }
  const current = user.sshPublicKey === null ? await withKeys(deps, user) : user;
  const credentials = await store.users.credentials(user.id);
  if (credentials === null) throw notExists('User not found');
  return wireUserWithCreds(current, credentials, settings.permissions);
}

/**
 * For the session of a browser: scripts on its pages must not read credentials that outlive it. The form
 * is that of an answer with credentials, which clients expect.
 */
function userWithoutCreds(deps: HttpDeps, user: UserRecord): UserWithCreds {
  const none = { token: '', sshPrivateKey: null };
  return wireUserWithCreds(user, none, deps.settings.permissions);
}

/** The user as the caller may read it: a session of a browser receives no credentials. */
export async function userFor(
  session: SessionRecord | null,
  deps: HttpDeps,
  user: UserRecord,
): Promise<UserWithCreds> {
  return session === null ? await userWithCreds(deps, user) : userWithoutCreds(deps, user);
}

async function withKeys({ store, keys }: HttpDeps, user: UserRecord): Promise<UserRecord> {
  await store.users.setSshKeys(user.id, await keys.user(user.name));
  return (await store.users.byId(user.id)) ?? user;
}

/** Others are invisible to all but global admins. */
export async function visibleUser(
  deps: HttpDeps,
  caller: UserRecord,
  name: string,
): Promise<UserRecord> {
  const user = await deps.store.users.byName(name);
  if (user === null || (user.id !== caller.id && !isAdmin(caller))) {
    throw notExists('User not found');
  }
  return user;
}

/** Users themselves or, for global admins, any user; to others users do not exist. */
async function managedUser(deps: HttpDeps, caller: UserRecord, name: string): Promise<UserRecord> {
  const user = await deps.store.users.byName(name);
  if (user?.id !== caller.id && !isAdmin(caller)) {
    throw accessDenied(`Access denied: only global admins may change other users than themselves`);
  }
  if (user === null) throw notExists('User not found');
  return user;
}

/** `actor` null: the server itself, at its first start. */
export async function createUser(
  deps: Pick<HttpDeps, 'store' | 'keys' | 'context'>,
  request: CreateUserRequest,
  actor: UserRecord | null,
  token: string = randomUUID(),
): Promise<UserRecord> {
  checkName('user', request.username);
  const { now, newId } = deps.context();
  const pair = await deps.keys.user(request.username);
  const user = {
    id: newId(),
    name: request.username,
    globalRole: request.global_role,
    email: request.email,
    active: request.active,
    sshPublicKey: pair.publicKey,
    createdAt: now,
  };
  const self = { userId: user.id, token: null, address: null };
  const event = recordEvent({
    action: 'user.created',
    data: { global_role: user.globalRole },
    ...{ targets: [userTarget(user)], actor: actor === null ? self : actorOf(actor) },
  });
  const created = await deps.store.users.insert(
    { ...user, token, sshPrivateKey: pair.privateKey },
    { events: [event] },
  );
  if (created === 'name-taken') throw alreadyExists(`User '${request.username}' exists`);
  return { ...user, deleted: false, originalName: null };
}

/** Replaces all three: an omitted one gets its default, as in dstack 0.22.5. */
export async function updateUser(
  deps: HttpDeps,
  request: CreateUserRequest,
  actor: UserRecord,
): Promise<UserRecord> {
  const user = await deps.store.users.byName(request.username);
  if (user === null) throw notExists('User not found');
  const set = { globalRole: request.global_role, email: request.email, active: request.active };
  if (user.id === actor.id && (set.globalRole !== 'admin' || !set.active)) throw lockOut(user);
  const keys = Object.keys(set) as (keyof typeof set)[];
  const changed = keys.filter((key) => set[key] !== user[key]);
  const event = recordEvent({
    action: 'user.updated',
    data: { fields: changed, changes: fieldChanges(changed, user, set) },
    ...{ targets: [userTarget(user)], actor: actorOf(actor) },
  });
  await deps.store.users.update(user.id, set, { events: changed.length > 0 ? [event] : [] });
  return { ...user, ...set };
}

/** One admin is always left: the one who makes the change. */
function lockOut({ name }: UserRecord) {
  return ruleError(`User '${name}' is you. Only another admin can remove your permissions`);
}

/** The new token is part of the answer: no answer to a browser's session has one that exists already. */
export async function refreshToken(
  deps: HttpDeps,
  caller: UserRecord,
  session: SessionRecord | null,
  name: string,
): Promise<UserWithCreds> {
  const user = await managedUser(deps, caller, name);
  const targets = [userTarget(user)];
  const events = [recordEvent({ action: 'user.token_refreshed', targets, actor: actorOf(caller) })];
  const token = randomUUID();
  await deps.store.users.setToken(user.id, token, { events }, session?.id);
  if (session === null) return await userWithCreds(deps, user);
  return wireUserWithCreds(user, { token, sshPrivateKey: null }, deps.settings.permissions);
}

export async function refreshSshKey(
  deps: HttpDeps,
  caller: UserRecord,
  name: string,
): Promise<UserRecord> {
  const user = await managedUser(deps, caller, name);
  const targets = [userTarget(user)];
  const actor = actorOf(caller);
  const events = [recordEvent({ action: 'user.ssh_key_refreshed', targets, actor })];
  const keys = await deps.keys.user(user.name);
  await deps.store.users.setSshKeys(user.id, keys, { events });
  return { ...user, sshPublicKey: keys.publicKey };
}

/** All or none. */
export async function deleteUsers(
  deps: HttpDeps,
  names: readonly string[],
  actor: UserRecord,
): Promise<void> {
  if (names.some((name) => name.toLowerCase() === FIRST_ADMIN)) {
    throw ruleError(`User '${FIRST_ADMIN}' cannot be deleted`);
  }
  const users = await deps.store.users.byNames(names);
  const self = users.find((user) => user.id === actor.id);
  if (self) throw lockOut(self);
  const known = new Set(users.map((user) => user.name.toLowerCase()));
  const unknown = names.filter((name) => !known.has(name.toLowerCase()));
  if (unknown.length > 0) {
    throw ruleError(`Failed to delete non-existent users: ${unknown.join(', ')}`);
  }
  const events = users.map((user) => {
    const targets = [userTarget(user)];
    return recordEvent({ action: 'user.deleted', targets, actor: actorOf(actor) });
  });
  await deps.store.users.delete(
    users.map((user) => user.id),
    { events },
  );
}
