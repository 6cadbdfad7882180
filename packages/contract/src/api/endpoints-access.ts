/** Endpoints about the server, users, projects, secrets, files, repos, exports. */
import * as z from 'zod';
import { Export, Import, ListExportsResponse, ListImportsResponse } from '../wire/export.ts';
import { FileArchive } from '../wire/file.ts';
import { Project, ProjectsInfoList } from '../wire/project.ts';
import { RepoHead, RepoHeadWithCreds } from '../wire/repo.ts';
import { Text } from '../wire/scalars.ts';
import { Secret, SetSecret } from '../wire/secret.ts';
import {
  GetUpstreamResponse,
  OAuthGetNextRedirectResponse,
  OAuthProviderInfo,
  ServerInfo,
  UITemplate,
} from '../wire/server.ts';
import { PublicKeyInfo, User, UsersInfoList, UserWithCreds } from '../wire/user.ts';
import { bare, call, get, optionalCall, upload } from './endpoint.ts';
import * as req from './requests-access.ts';

const users = '/api/users';
const projects = '/api/projects';
const project = '/api/project/{project_name}';

export const accessEndpoints = {
  'server.get_info': bare('/api/server/get_info', 'public', ServerInfo, 'Version of the server'),
  'server.healthcheck': get('/healthcheck', 'public', null, null, 'Whether the server answers'),
  'server.metrics': get('/metrics', 'service_token', null, null, 'Prometheus metrics'),
  'auth.list_providers': bare(
    '/api/auth/list_providers',
    'public',
    z.array(OAuthProviderInfo),
    'Log-in providers',
  ),
  'auth.get_next_redirect': call(
    '/api/auth/get_next_redirect',
    'public',
    req.OAuthGetNextRedirectRequest,
    OAuthGetNextRedirectResponse,
    'Redirects the browser of a log-in that a local client has started',
  ),
  'sshproxy.get_upstream': call(
    '/api/sshproxy/get_upstream',
    'service_token',
    req.GetUpstreamRequest,
    GetUpstreamResponse,
    'How the SSH proxy reaches a running job',
  ),

  'users.list': optionalCall(
    `${users}/list`,
    'auth',
    req.ListUsersRequest,
    z.union([z.array(User), UsersInfoList]),
    'Users: all for global admins, only the caller for others',
  ),
  'users.get_my_user': bare(
    `${users}/get_my_user`,
    'auth',
    UserWithCreds,
    'The caller, with token and SSH key pair',
  ),
  'users.get_user': call(
    `${users}/get_user`,
    'auth',
    req.GetUserRequest,
    UserWithCreds,
    'A user with credentials',
  ),
  'users.create': call(
    `${users}/create`,
    'global_admin',
    req.CreateUserRequest,
    User,
    'Add a user',
  ),
  'users.update': call(
    `${users}/update`,
    'global_admin',
    req.CreateUserRequest,
    User,
    'Replace role, e-mail and active of a user',
  ),
  'users.refresh_token': call(
    `${users}/refresh_token`,
    'auth',
    req.RefreshTokenRequest,
    UserWithCreds,
    'Replace the token of a user',
  ),
  'users.refresh_ssh_key': call(
    `${users}/refresh_ssh_key`,
    'auth',
    req.RefreshTokenRequest,
    UserWithCreds,
    'Replace the SSH key pair of a user',
  ),
  'users.delete': call(
    `${users}/delete`,
    'global_admin',
    req.DeleteUsersRequest,
    null,
    'Delete users',
  ),
  'public_keys.list': bare(
    `${users}/public_keys/list`,
    'auth',
    z.array(PublicKeyInfo),
    'Public keys of the caller, newest first',
  ),
  'public_keys.add': call(
    `${users}/public_keys/add`,
    'auth',
    req.AddPublicKeyRequest,
    PublicKeyInfo,
    'Add a public key of the caller',
  ),
  'public_keys.delete': call(
    `${users}/public_keys/delete`,
    'auth',
    req.DeletePublicKeysRequest,
    null,
    'Delete public keys of the caller',
  ),

  'projects.list': optionalCall(
    `${projects}/list`,
    'auth',
    req.ListProjectsRequest,
    z.union([z.array(Project), ProjectsInfoList]),
    'Projects the caller may see',
  ),
  'projects.list_only_no_fleets': bare(
    `${projects}/list_only_no_fleets`,
    'auth',
    z.array(Project),
    'Projects of the caller that have no fleet',
  ),
  'projects.create': call(
    `${projects}/create`,
    'auth',
    req.CreateProjectRequest,
    Project,
    'Add a project',
  ),
  'projects.delete': call(
    `${projects}/delete`,
    'auth',
    req.DeleteProjectsRequest,
    null,
    'Delete projects',
  ),
  'projects.get': bare(
    `${projects}/{project_name}/get`,
    'member_or_public',
    Project,
    'A project with members and backends',
  ),
  'projects.set_members': call(
    `${projects}/{project_name}/set_members`,
    'project_manager',
    req.SetProjectMembersRequest,
    Project,
    'Replace the members of a project',
  ),
  'projects.add_members': call(
    `${projects}/{project_name}/add_members`,
    'member_or_public',
    req.AddProjectMemberRequest,
    Project,
    'Add members, or join a public project',
  ),
  'projects.remove_members': call(
    `${projects}/{project_name}/remove_members`,
    'project_member',
    req.RemoveProjectMemberRequest,
    Project,
    'Remove members, or leave a project',
  ),
  'projects.update': call(
    `${projects}/{project_name}/update`,
    'project_admin',
    req.UpdateProjectRequest,
    Project,
    'Change visibility and templates of a project',
  ),

  'secrets.list': bare(
    `${project}/secrets/list`,
    'project_manager',
    z.array(Secret),
    'Secrets without values, newest first',
  ),
  'secrets.get': call(
    `${project}/secrets/get`,
    'project_manager',
    req.GetSecretRequest,
    Secret,
    'A secret with its value',
  ),
  'secrets.create_or_update': call(
    `${project}/secrets/create_or_update`,
    'project_manager',
    req.CreateOrUpdateSecretRequest,
    SetSecret,
    'Set a secret',
  ),
  'secrets.delete': call(
    `${project}/secrets/delete`,
    'project_manager',
    req.DeleteSecretsRequest,
    null,
    'Delete secrets',
  ),

  'files.get_archive_by_hash': call(
    '/api/files/get_archive_by_hash',
    'auth',
    req.GetFileArchiveByHashRequest,
    FileArchive,
    'Whether an archive was uploaded before',
  ),
  'files.upload_archive': upload(
    '/api/files/upload_archive',
    'auth',
    null,
    FileArchive,
    'Upload an archive of files',
  ),

  'repos.list': bare(`${project}/repos/list`, 'project_member', z.array(RepoHead), 'Repos'),
  'repos.get': call(
    `${project}/repos/get`,
    'project_member',
    req.GetRepoRequest,
    RepoHeadWithCreds,
    'A repo, with the caller’s credentials on request',
  ),
  'repos.init': call(
    `${project}/repos/init`,
    'project_member',
    req.SaveRepoCredsRequest,
    null,
    'Register a repo and the caller’s credentials for it',
  ),
  'repos.delete': call(
    `${project}/repos/delete`,
    'project_member',
    req.DeleteReposRequest,
    null,
    'Delete repos',
  ),
  'repos.upload_code': upload(
    `${project}/repos/upload_code`,
    'project_member',
    z.object({ repo_id: Text }),
    null,
    'Upload the difference to a repo',
  ),

  'templates.list': bare(
    `${project}/templates/list`,
    'project_member',
    z.array(UITemplate),
    'Run templates of the UI',
  ),

  'exports.list': bare(
    `${project}/exports/list`,
    'project_member',
    z.union([ListExportsResponse, z.array(Export)]),
    'What the project shares, newest first',
  ),
  'exports.create': call(
    `${project}/exports/create`,
    'project_admin',
    req.CreateExportRequest,
    Export,
    'Share fleets and gateways with projects',
  ),
  'exports.update': call(
    `${project}/exports/update`,
    'project_admin',
    req.UpdateExportRequest,
    Export,
    'Change what is shared and with whom',
  ),
  'exports.delete': call(
    `${project}/exports/delete`,
    'project_admin',
    req.DeleteExportRequest,
    null,
    'Stop sharing',
  ),
  'imports.list': bare(
    `${project}/imports/list`,
    'project_member',
    z.union([ListImportsResponse, z.array(Import)]),
    'What is shared with the project, newest first',
  ),
  'imports.delete': call(
    `${project}/imports/delete`,
    'project_admin',
    req.DeleteImportRequest,
    null,
    'Delete an import',
  ),
} as const;
