/** Projects: list, create, change, delete. Members are in `members.ts`. */
import {
  type ApiError,
  accessDenied,
  alreadyExists,
  type CreateProjectRequest,
  type ListProjectsRequest,
  ruleError,
  type UpdateProjectRequest,
} from '@dstack/contract/api';
import type { Project, ProjectsInfoList } from '@dstack/contract/wire';
import { fieldChanges, projectTarget, recordEvent } from '@dstack/core';
import type {
  MemberRecord,
  ProjectFilter,
  ProjectRecord,
  ProjectUse,
  UserRecord,
} from '@dstack/store';
import { confinement } from '../../callers/scope.ts';
import { OutgoingRefused } from '../../outgoing/outgoing-error.ts';
import { actorOf } from '../event-actor.ts';
import { wireProject } from '../mapping/project.ts';
import { checkName } from '../names.ts';
import { pageOf } from '../paging.ts';
import type { HttpDeps } from '../ports.ts';

/** The full card: members and backends included. */
export async function projectCard(deps: HttpDeps, project: ProjectRecord): Promise<Project> {
  const { store, settings } = deps;
  const [owner, members, backends] = await Promise.all([
    store.users.byId(project.ownerId),
    store.projects.members(project.id),
    store.backends.list([project.id]),
  ]);
  if (owner === null) throw new Error(`owner of project ${project.name} is missing`);
  return wireProject(project, { owner, members, backends }, settings.permissions);
}

export async function listProjects(
  deps: HttpDeps,
  caller: UserRecord,
  query: ListProjectsRequest,
): Promise<Project[] | ProjectsInfoList> {
  const member = query.username === null ? null : await deps.store.users.byName(query.username);
  const isNobody = query.username !== null && member === null;
  const filter: ProjectFilter = {
    visibleTo:
      caller.globalRole === 'admin'
        ? null
        : { userId: caller.id, includePublic: query.include_not_joined },
    ofUser: member?.id ?? null,
    namePattern: query.name_pattern,
    id: confinement(caller),
  };
  const page = pageOf(query.prev_created_at, query.prev_id, query);
  const found = isNobody ? [] : await deps.store.projects.list({ ...filter, page });
  const projects = await listedProjects(deps, found, member);
  if (!query.return_total_count) return projects;
  const total = isNobody ? 0 : await deps.store.projects.count(filter);
  return { total_count: total, projects };
}

/** Without backends, and with the membership of one user at most. */
async function listedProjects(
  deps: HttpDeps,
  found: readonly ProjectRecord[],
  member: UserRecord | null,
): Promise<Project[]> {
  const { store, settings } = deps;
  const ids = found.map((project) => project.id);
  const owners = await usersById(
    deps,
    found.map((project) => project.ownerId),
  );
  const memberships = member === null ? [] : await store.projects.memberships(member.id, ids);
  const roles = new Map<string, MemberRecord>(memberships.map((row) => [row.projectId, row]));
  return found.flatMap((project) => {
    const owner = owners.get(project.ownerId);
    const role = roles.get(project.id)?.role;
    const members = member !== null && role !== undefined ? [{ user: member, role }] : [];
    const parts = owner && { owner, members, backends: [] };
    return parts ? [wireProject(project, parts, settings.permissions)] : [];
  });
}

async function usersById(
  deps: HttpDeps,
  ids: readonly string[],
): Promise<ReadonlyMap<string, UserRecord>> {
  const users = await deps.store.users.byIds([...new Set(ids)]);
  return new Map(users.map((user) => [user.id, user]));
}

export async function projectsWithoutFleets(
  deps: HttpDeps,
  caller: UserRecord,
): Promise<Project[]> {
  return listedProjects(deps, await deps.store.projects.withoutFleets(caller.id), null);
}

/** The creator owns it and is its first admin. */
export async function createProject(
  deps: Pick<HttpDeps, 'store' | 'keys' | 'context' | 'settings'>,
  request: CreateProjectRequest,
  owner: UserRecord,
): Promise<ProjectRecord> {
  await checkMayCreate(deps, owner, request.project_name);
  checkName('project', request.project_name);
  const { now, newId } = deps.context();
  const pair = await deps.keys.project(request.project_name);
  const project = {
    id: newId(),
    name: request.project_name,
    ownerId: owner.id,
    isPublic: request.is_public,
    templatesRepo: request.templates_repo,
    sshPublicKey: pair.publicKey,
    createdAt: now,
  };
  const targets = [projectTarget(project)];
  const events = [recordEvent({ action: 'project.created', targets, actor: actorOf(owner) })];
  const record = { ...project, sshPrivateKey: pair.privateKey };
  const created = await deps.store.projects.insert(record, { events });
  if (created === 'name-taken') throw alreadyExists(`Project '${project.name}' exists`);
  return { ...project, defaultGatewayId: null, deleted: false, originalName: null };
}

async function checkMayCreate(
  deps: Pick<HttpDeps, 'store' | 'settings'>,
  owner: UserRecord,
  name: string,
): Promise<void> {
  if (owner.globalRole === 'admin') return;
  const { permissions, projectsPerUser, localProjects, gatewayDomains } = deps.settings;
  if (!permissions.allow_non_admins_create_projects) {
    throw accessDenied('Access denied: only global admins may create projects on this server');
  }
  if (localProjects.has(name.toLowerCase())) {
    throw accessDenied(
      `Access denied: jobs of a project with the name ${name} may run on the server's machine, so only global admins may create it; choose another name`,
    );
  }
  if (gatewayDomains.has(name.toLowerCase())) {
    throw accessDenied(
      `Access denied: the operator of the server has given domains to the project with the name ${name}, so only global admins may create it; choose another name`,
    );
  }
  if ((await deps.store.projects.ownedCount(owner.id)) >= projectsPerUser) {
    throw ruleError(`User project quota exceeded: you own ${projectsPerUser} projects already`);
  }
}

export async function updateProject(
  deps: HttpDeps,
  project: ProjectRecord,
  request: UpdateProjectRequest,
  actor: UserRecord,
): Promise<ProjectRecord> {
  const set = {
    isPublic: request.is_public ?? project.isPublic,
    templatesRepo: request.reset_templates_repo
      ? null
      : (request.templates_repo ?? project.templatesRepo),
  };
  const changed = [
    ...(set.isPublic === project.isPublic ? [] : ['is_public']),
    ...(set.templatesRepo === project.templatesRepo ? [] : ['templates_repo']),
  ];
  if (changed.length === 0) return project;
  if (changed.includes('templates_repo') && set.templatesRepo !== null) {
    await checkReadable(deps, set.templatesRepo);
  }
  const before = { is_public: project.isPublic, templates_repo: project.templatesRepo };
  const after = { is_public: set.isPublic, templates_repo: set.templatesRepo };
  const event = recordEvent({
    action: 'project.updated',
    data: { fields: changed, changes: fieldChanges(changed, before, after) },
    ...{ targets: [projectTarget(project)], actor: actorOf(actor) },
  });
  await deps.store.projects.update(project.id, set, { events: [event] });
  return { ...project, ...set };
}

async function checkReadable(deps: HttpDeps, url: string): Promise<void> {
  await deps.templates.probe(url).catch((error: unknown) => {
    deps.log.info({ err: error }, 'templates repository refused');
    if (error instanceof OutgoingRefused) throw ruleError(`templates_repo: ${error.message}`);
    throw ruleError('The templates repository cannot be read: check its URL and its permissions');
  });
}

/** All or none. Only global admins learn which names are unknown. */
export async function deleteProjects(
  deps: HttpDeps,
  names: readonly string[],
  actor: UserRecord,
): Promise<void> {
  const projects = await deps.store.projects.byNames(names);
  const known = new Map(projects.map((project) => [project.name.toLowerCase(), project]));
  const unknown = names.filter((name) => !known.has(name.toLowerCase()));
  if (actor.globalRole !== 'admin') await checkMayDelete(deps, projects, unknown, actor);
  if (unknown.length > 0) {
    throw ruleError(`Failed to delete non-existent projects: ${unknown.join(', ')}`);
  }
  const events = new Map(
    projects.map((project) => {
      const targets = [projectTarget(project)];
      const deleted = recordEvent({ action: 'project.deleted', targets, actor: actorOf(actor) });
      return [project.id, deleted];
    }),
  );
  const outcome = await deps.store.projects.delete([...events.keys()], (id) => events.get(id));
  if (outcome.type === 'in-use') throw inUse(outcome.uses);
}

async function checkMayDelete(
  deps: HttpDeps,
  projects: readonly ProjectRecord[],
  unknown: readonly string[],
  actor: UserRecord,
): Promise<void> {
  const ids = projects.map((project) => project.id);
  const memberships = await deps.store.projects.memberships(actor.id, ids);
  const managed = new Set(
    memberships.filter((row) => row.role === 'admin').map((row) => row.projectId),
  );
  const isAllowed = (project: ProjectRecord) =>
    project.ownerId === actor.id || managed.has(project.id);
  if (unknown.length > 0 || !projects.every(isAllowed)) {
    throw accessDenied('Access denied: only owners and project admins may delete a project');
  }
}

function inUse(uses: readonly ProjectUse[]): ApiError {
  const kinds = [
    ['runs', 'activeRuns'],
    ['fleets', 'activeFleets'],
    ['volumes', 'activeVolumes'],
  ] as const;
  const [what, count] = kinds.find(([, n]) => uses.some((use) => use[n] > 0)) ?? kinds[0];
  const names = uses.filter((use) => use[count] > 0).map((use) => `'${use.projectName}'`);
  return ruleError(`Failed to delete project with active ${what}: [${names.join(', ')}]`);
}
