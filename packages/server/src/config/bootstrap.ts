import { randomUUID } from 'node:crypto';
import { backendKind } from '@dstack/backends';
import type { BackendFileConfig, ConfiguredBackend, ServerConfig } from '@dstack/contract';
import type { BackendType } from '@dstack/contract/wire';
import type { BackendWithCredentials, ProjectRecord, UserRecord } from '@dstack/store';
import { backendCreated, backendDeleted, backendUpdated } from '../backend-config/events.ts';
import { operatorsConfig } from '../backend-config/origin.ts';
import { splitSecrets } from '../backend-config/secrets.ts';
import type { HttpDeps } from '../http/ports.ts';
import { createProject } from '../http/projects/service.ts';
import { createUser } from '../http/users/service.ts';
import { isSimEntry, simRow } from '../sim/sim-rows.ts';

export interface BootstrapOptions
  extends Pick<HttpDeps, 'store' | 'keys' | 'context' | 'settings' | 'log'> {
  /** Token of the admin if this is the first start; null = a random one. */
  readonly adminToken: string | null;
}

export interface Bootstrapped {
  readonly admin: UserRecord;
  readonly adminToken: string;
  /** The admin was just created, so the token has not been shown before. */
  readonly firstStart: boolean;
}

/** Creates the user `admin` and the project `main` of a new installation. */
export async function bootstrap(options: BootstrapOptions): Promise<Bootstrapped> {
  const { store } = options;
  const { record: admin, isNew } = await foundOrMade(
    () => store.users.byName('admin'),
    () => makeAdmin(options),
  );
  await ensureProject(options, admin, 'main');
  const credentials = await store.users.credentials(admin.id);
  if (!credentials) throw new Error('user admin has no token');
  return { admin, adminToken: credentials.token, firstStart: isNew };
}

/**
 * Applies projects and backends of the file; a backend that cannot be configured does not stop the
 * others. A project without the key `backends` keeps those that were configured over the API.
 */
export async function applyServerConfig(
  options: BootstrapOptions,
  admin: UserRecord,
  config: ServerConfig,
): Promise<void> {
  for (const entry of config.projects) {
    const project = await ensureProject(options, admin, entry.name);
    if (entry.backends !== null) await applyBackends(options, project, entry.backends);
  }
}

async function makeAdmin(options: BootstrapOptions): Promise<UserRecord> {
  const request = { username: 'admin', global_role: 'admin' as const, email: null, active: true };
  return await createUser(options, request, null, options.adminToken ?? undefined);
}

async function ensureProject(
  options: BootstrapOptions,
  owner: UserRecord,
  name: string,
): Promise<ProjectRecord> {
  const request = { project_name: name, is_public: false, templates_repo: null };
  const { record } = await foundOrMade(
    () => options.store.projects.byName(name),
    () => createProject(options, request, owner),
  );
  return record;
}

/** Servers that start together on a new database make the same records; one of them succeeds. */
async function foundOrMade<T>(
  find: () => Promise<T | null>,
  make: () => Promise<T>,
): Promise<{ readonly record: T; readonly isNew: boolean }> {
  const found = await find();
  if (found) return { record: found, isNew: false };
  try {
    return { record: await make(), isNew: true };
  } catch (error) {
    const record = await find();
    if (record) return { record, isNew: false };
    throw error;
  }
}

async function applyBackends(
  { store, context, log }: BootstrapOptions,
  project: ProjectRecord,
  wanted: readonly ConfiguredBackend[],
): Promise<void> {
  const present = await store.backends.listWithCredentials(project.id);
  for (const entry of wanted) {
    const type = typeOf(entry);
    if (!isSimEntry(entry) && backendKind(type) === null) {
      log.warn(
        { project: project.name, backend: type },
        'this server shows offers of the backend, but cannot make machines there yet',
      );
    }
    const set = isSimEntry(entry) ? simRow(entry) : rowOf(entry);
    const old = present.find((backend) => backend.type === type);
    if (!old) {
      const times = { createdAt: context().now, updatedAt: context().now };
      const record = { id: randomUUID(), projectId: project.id, type, ...times, ...set };
      const events = [backendCreated({ project, type, actor: null })];
      await store.backends.insert(record, { events });
    } else if (
      JSON.stringify([old.config, old.sourceAuth]) !== JSON.stringify([set.config, set.sourceAuth])
    ) {
      const change = { project, type, actor: null };
      const event = backendUpdated(change, writtenParts(old), writtenParts(set));
      const events = event === null ? [] : [event];
      await store.backends.update(project.id, type, set, { events });
    }
  }
  const removed = present.filter(
    (backend) => !wanted.some((entry) => typeOf(entry) === backend.type),
  );
  for (const backend of removed) {
    log.warn(
      { project: project.name, backend: backend.type },
      'backend is no longer in config.yml and is removed',
    );
  }
  if (removed.length > 0)
    await store.backends.delete(
      project.id,
      removed.map((backend) => backend.type),
      (type) => backendDeleted({ project, type, actor: null }),
    );
}

type WrittenBackend = Pick<
  BackendWithCredentials,
  'config' | 'sourceConfig' | 'auth' | 'sourceAuth'
>;

const writtenParts = ({ config, sourceConfig, auth, sourceAuth }: WrittenBackend) => ({
  config: sourceConfig ?? config,
  auth: sourceAuth ?? auth,
});

/** The type by which the backend is known. */
function typeOf(entry: ConfiguredBackend): BackendType {
  return isSimEntry(entry) ? entry.as : entry.type;
}

function rowOf(entry: BackendFileConfig) {
  const { config, auth } = splitSecrets(entry);
  return { config: operatorsConfig(config), sourceConfig: config, auth, sourceAuth: auth };
}
