import type {
  BackendRecord,
  CodeRecord,
  FileArchiveRecord,
  MemberRecord,
  ProjectRecord,
  PublicKeyRecord,
  RepoRecord,
  SecretRecord,
  ServiceTokenRecord,
  SessionRecord,
  UserRecord,
} from './account-records.ts';
import { table } from './table.ts';

export const userTable = table<UserRecord>()('users', {
  id: 'plain',
  name: 'plain',
  globalRole: 'plain',
  email: 'plain',
  active: 'bool',
  sshPublicKey: 'plain',
  createdAt: 'plain',
  deleted: 'bool',
  originalName: 'plain',
});

export const publicKeyTable = table<PublicKeyRecord>()('public_keys', {
  id: 'plain',
  userId: 'plain',
  name: 'plain',
  type: 'plain',
  fingerprint: 'plain',
  key: 'plain',
  addedAt: 'plain',
});

export const projectTable = table<ProjectRecord>()('projects', {
  id: 'plain',
  name: 'plain',
  ownerId: 'plain',
  isPublic: 'bool',
  templatesRepo: 'plain',
  sshPublicKey: 'plain',
  defaultGatewayId: 'plain',
  createdAt: 'plain',
  deleted: 'bool',
  originalName: 'plain',
});

export const memberTable = table<MemberRecord>()('members', {
  projectId: 'plain',
  userId: 'plain',
  role: 'plain',
  memberNum: 'plain',
});

export const backendTable = table<BackendRecord>()('backends', {
  id: 'plain',
  projectId: 'plain',
  type: 'plain',
  config: 'json',
  sourceConfig: 'json',
  createdAt: 'plain',
  updatedAt: 'plain',
});

export const secretTable = table<SecretRecord>()('secrets', {
  id: 'plain',
  projectId: 'plain',
  name: 'plain',
  createdAt: 'plain',
  updatedAt: 'plain',
});

export const repoTable = table<RepoRecord>()('repos', {
  id: 'plain',
  projectId: 'plain',
  repoId: 'plain',
  info: 'json',
});

export const codeTable = table<CodeRecord>()('codes', {
  id: 'plain',
  repoId: 'plain',
  hash: 'plain',
  sha256: 'plain',
  size: 'plain',
  createdAt: 'plain',
});

export const archiveTable = table<FileArchiveRecord>()('file_archives', {
  id: 'plain',
  userId: 'plain',
  hash: 'plain',
  sha256: 'plain',
  size: 'plain',
  createdAt: 'plain',
});

export const serviceTokenTable = table<ServiceTokenRecord>()('service_tokens', {
  id: 'plain',
  projectId: 'plain',
  name: 'plain',
  scope: 'plain',
  createdBy: 'plain',
  createdAt: 'plain',
  expiresAt: 'plain',
  lastUsedAt: 'plain',
  models: 'json',
  services: 'json',
  limits: 'json',
});

export const sessionTable = table<SessionRecord>()('sessions', {
  id: 'plain',
  userId: 'plain',
  persistent: 'bool',
  createdAt: 'plain',
  lastUsedAt: 'plain',
  expiresAt: 'plain',
});
