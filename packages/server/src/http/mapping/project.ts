import {
  type BackendInfo,
  formatTimestamp,
  type Member,
  type MemberPermissions,
  type Project,
  type ProjectRole,
} from '@dstack/contract/wire';
import type { BackendRecord, ProjectMember, ProjectRecord, UserRecord } from '@dstack/store';
import type { PermissionDefaults } from '../ports.ts';
import { wireUser } from './user.ts';

export interface ProjectParts {
  readonly owner: UserRecord;
  readonly members: readonly ProjectMember[];
  readonly backends: readonly BackendRecord[];
}

export function wireProject(
  project: ProjectRecord,
  parts: ProjectParts,
  defaults: PermissionDefaults,
): Project {
  return {
    project_id: project.id,
    project_name: project.name,
    owner: wireUser(parts.owner, defaults),
    created_at: formatTimestamp(project.createdAt),
    backends: parts.backends.map(wireBackendInfo),
    members: parts.members.map((member) => wireMember(member, defaults)),
    is_public: project.isPublic,
    templates_repo: project.templatesRepo,
  };
}

function wireMember({ user, role }: ProjectMember, defaults: PermissionDefaults): Member {
  return {
    user: wireUser(user, defaults),
    project_role: role,
    permissions: memberPermissions(user, role, defaults),
  };
}

/** Permissions of a member beyond those of the role itself. */
export function memberPermissions(
  user: UserRecord,
  role: ProjectRole,
  defaults: PermissionDefaults,
): MemberPermissions {
  const isAdmin = user.globalRole === 'admin' || role === 'admin';
  return {
    can_manage_ssh_fleets: isAdmin || defaults.allow_non_admins_manage_ssh_fleets,
    can_manage_secrets: isAdmin || (role === 'manager' && defaults.allow_managers_manage_secrets),
  };
}

/** Credentials are not part of `config`. */
function wireBackendInfo(backend: BackendRecord): BackendInfo {
  return { name: backend.type, config: { ...(backend.sourceConfig ?? backend.config) } };
}
