/** Requests about users, projects, log-in, secrets, files and repos. */
import * as z from 'zod';
import { RemoteRepoCreds, RepoInfo } from '../wire/repo.ts';
import {
  Flag,
  Instant,
  integer,
  listOf,
  model,
  nullable,
  PlainText,
  Text,
  text,
  Uuid,
} from '../wire/scalars.ts';
import { GlobalRole, ProjectRole } from '../wire/user.ts';

/** The maximum number of users or projects in one page. */
const MAX_ACCOUNTS = 2000;

const NamePattern = text({
  pattern: /^[a-zA-Z0-9-_]*$/,
  meaning: 'letters, digits, - and _',
});

const accountPage = {
  return_total_count: Flag.default(false),
  name_pattern: nullable(NamePattern),
  prev_created_at: nullable(Instant),
  prev_id: nullable(Uuid),
  limit: integer({ ge: 0, le: MAX_ACCOUNTS }).default(MAX_ACCOUNTS),
  ascending: Flag.default(false),
};

export const ListUsersRequest = model(accountPage);
export type ListUsersRequest = z.infer<typeof ListUsersRequest>;

export const GetUserRequest = model({ username: Text });
export type GetUserRequest = z.infer<typeof GetUserRequest>;

export const CreateUserRequest = model({
  username: Text,
  global_role: GlobalRole,
  email: nullable(Text),
  active: Flag.default(true),
});
export type CreateUserRequest = z.infer<typeof CreateUserRequest>;

export const RefreshTokenRequest = model({ username: Text });
export type RefreshTokenRequest = z.infer<typeof RefreshTokenRequest>;

export const DeleteUsersRequest = model({ users: z.array(Text) });
export type DeleteUsersRequest = z.infer<typeof DeleteUsersRequest>;

export const AddPublicKeyRequest = model({ key: Text, name: nullable(Text) });
export type AddPublicKeyRequest = z.infer<typeof AddPublicKeyRequest>;

export const DeletePublicKeysRequest = model({ ids: z.array(Uuid) });
export type DeletePublicKeysRequest = z.infer<typeof DeletePublicKeysRequest>;

/** `iss` is ours: the parameter of the provider's redirect. */
export const OAuthGetNextRedirectRequest = model({ code: Text, state: Text, iss: nullable(Text) });
export type OAuthGetNextRedirectRequest = z.infer<typeof OAuthGetNextRedirectRequest>;

export const ListProjectsRequest = model({
  include_not_joined: Flag.default(true),
  username: nullable(Text),
  ...accountPage,
});
export type ListProjectsRequest = z.infer<typeof ListProjectsRequest>;

export const CreateProjectRequest = model({
  project_name: Text,
  is_public: Flag.default(false),
  templates_repo: nullable(PlainText),
});
export type CreateProjectRequest = z.infer<typeof CreateProjectRequest>;

export const DeleteProjectsRequest = model({ projects_names: z.array(Text) });
export type DeleteProjectsRequest = z.infer<typeof DeleteProjectsRequest>;

export const UpdateProjectRequest = model({
  is_public: nullable(Flag),
  templates_repo: nullable(PlainText),
  reset_templates_repo: Flag.default(false),
});
export type UpdateProjectRequest = z.infer<typeof UpdateProjectRequest>;

/** `username` may be an e-mail address. */
export const MemberSetting = model({ username: Text, project_role: ProjectRole });
export type MemberSetting = z.infer<typeof MemberSetting>;

export const SetProjectMembersRequest = model({ members: z.array(MemberSetting) });
export type SetProjectMembersRequest = z.infer<typeof SetProjectMembersRequest>;

export const AddProjectMemberRequest = model({ members: z.array(MemberSetting) });
export type AddProjectMemberRequest = z.infer<typeof AddProjectMemberRequest>;

export const RemoveProjectMemberRequest = model({ usernames: z.array(Text) });
export type RemoveProjectMemberRequest = z.infer<typeof RemoveProjectMemberRequest>;

export const GetSecretRequest = model({ name: Text });
export type GetSecretRequest = z.infer<typeof GetSecretRequest>;

export const CreateOrUpdateSecretRequest = model({ name: Text, value: Text });
export type CreateOrUpdateSecretRequest = z.infer<typeof CreateOrUpdateSecretRequest>;

export const DeleteSecretsRequest = model({ secrets_names: z.array(Text) });
export type DeleteSecretsRequest = z.infer<typeof DeleteSecretsRequest>;

export const GetFileArchiveByHashRequest = model({ hash: Text });
export type GetFileArchiveByHashRequest = z.infer<typeof GetFileArchiveByHashRequest>;

export const GetRepoRequest = model({ repo_id: Text, include_creds: Flag });
export type GetRepoRequest = z.infer<typeof GetRepoRequest>;

export const SaveRepoCredsRequest = model({
  repo_id: PlainText,
  repo_info: RepoInfo,
  repo_creds: nullable(RemoteRepoCreds),
});
export type SaveRepoCredsRequest = z.infer<typeof SaveRepoCredsRequest>;

export const DeleteReposRequest = model({ repos_ids: z.array(Text) });
export type DeleteReposRequest = z.infer<typeof DeleteReposRequest>;

export const CreateExportRequest = model({
  name: Text,
  is_global: Flag.default(false),
  importer_projects: listOf(Text),
  exported_fleets: listOf(Text),
  exported_gateways: listOf(Text),
});
export type CreateExportRequest = z.infer<typeof CreateExportRequest>;

export const UpdateExportRequest = model({
  name: Text,
  set_global: Flag.default(false),
  unset_global: Flag.default(false),
  add_importer_projects: listOf(Text),
  remove_importer_projects: listOf(Text),
  add_exported_fleets: listOf(Text),
  remove_exported_fleets: listOf(Text),
  add_exported_gateways: listOf(Text),
  remove_exported_gateways: listOf(Text),
});
export type UpdateExportRequest = z.infer<typeof UpdateExportRequest>;

export const DeleteExportRequest = model({ name: Text });
export type DeleteExportRequest = z.infer<typeof DeleteExportRequest>;

export const DeleteImportRequest = model({ export_name: Text, export_project_name: Text });
export type DeleteImportRequest = z.infer<typeof DeleteImportRequest>;

/** `id`: job UUID, with or without hyphens. */
export const GetUpstreamRequest = model({ id: Text });
export type GetUpstreamRequest = z.infer<typeof GetUpstreamRequest>;
