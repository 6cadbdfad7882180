/** Projects and their members. */
import * as z from 'zod';
import { BackendInfo } from './backend.ts';
import { DateTime, Flag, Integer, model, nullable, Text, Uuid4 } from './scalars.ts';
import { ProjectRole, User } from './user.ts';

export const MemberPermissions = model({
  can_manage_ssh_fleets: Flag,
  can_manage_secrets: Flag.default(false),
});
export type MemberPermissions = z.infer<typeof MemberPermissions>;

export const Member = model({
  user: User,
  project_role: ProjectRole,
  permissions: MemberPermissions,
});
export type Member = z.infer<typeof Member>;

export const Project = model({
  project_id: Uuid4,
  project_name: Text,
  owner: User,
  created_at: nullable(DateTime),
  backends: z.array(BackendInfo),
  members: z.array(Member),
  is_public: Flag.default(false),
  templates_repo: nullable(Text),
});
export type Project = z.infer<typeof Project>;

export const ProjectsInfoList = model({
  total_count: nullable(Integer),
  projects: z.array(Project),
});
export type ProjectsInfoList = z.infer<typeof ProjectsInfoList>;
