import { randomUUID } from 'node:crypto';
import type { ServerConfig } from '@dstack/contract';
import type { BackendType } from '@dstack/contract/wire';
import type { NewEvent, Timestamp } from '@dstack/core';
import type { ProjectRecord, Store, UserRecord } from '@dstack/store';
import type { KeyMaker } from '../http/ports.ts';
import type { Logger } from '../logging.ts';

export interface BootstrapOptions {
  readonly store: Store;
  readonly now: () => Timestamp;
  readonly keys: KeyMaker;
  /** Token of the admin if this is the first start; null = a random one. */
  readonly adminToken: string | null;
  readonly log: Logger;
}

export interface Bootstrapped {
  readonly admin: UserRecord;
  readonly adminToken: string;
  /** The admin was made just now: the token has not been shown before. */
  readonly firstStart: boolean;
}

type ConfiguredBackend = NonNullable<ServerConfig['projects'][number]['backends']>[number];

/** Makes the user `admin` and the project `main` of a new installation. */
export async function bootstrap(options: BootstrapOptions): Promise<Bootstrapped> {
  const { store } = options;
  const found = await store.users.byName('admin');
  const admin = found ?? (await makeAdmin(options));
  await ensureProject(options, admin, 'main');
  const credentials = await store.users.credentials(admin.id);
  if (!credentials) throw new Error('user admin has no token');
  return { admin, adminToken: credentials.token, firstStart: !found };
}

/** Projects and backends of the file; a backend that cannot be set up does not stop the others. */
export async function applyServerConfig(
  options: BootstrapOptions,
  admin: UserRecord,
  config: ServerConfig,
): Promise<void> {
  for (const entry of config.projects) {
    const project = await ensureProject(options, admin, entry.name);
    await applyBackends(options, project, entry.backends ?? []);
  }
}

async function makeAdmin({ store, now, keys, adminToken }: BootstrapOptions): Promise<UserRecord> {
  const id = randomUUID();
  const pair = await keys.user('admin');
  const user = {
    id,
    name: 'admin',
    globalRole: 'admin' as const,
    email: null,
    active: true,
    createdAt: now(),
    sshPublicKey: pair.publicKey,
  };
  const secrets = { token: adminToken ?? randomUUID(), sshPrivateKey: pair.privateKey };
  await store.users.insert(
    { ...user, ...secrets },
    { events: [created('User created', 'user', id, 'admin', null)] },
  );
  return { ...user, deleted: false, originalName: null };
}

async function ensureProject(
  options: BootstrapOptions,
  owner: UserRecord,
  name: string,
): Promise<ProjectRecord> {
  const { store, now, keys } = options;
  const found = await store.projects.byName(name);
  if (found) return found;
  const id = randomUUID();
  const pair = await keys.project(`${name}@dstack`);
  const project = {
    id,
    name,
    ownerId: owner.id,
    isPublic: false,
    templatesRepo: null,
    createdAt: now(),
    sshPublicKey: pair.publicKey,
  };
  await store.projects.insert(
    { ...project, sshPrivateKey: pair.privateKey },
    { events: [created('Project created', 'project', id, name, id)] },
  );
  return { ...project, defaultGatewayId: null, deleted: false, originalName: null };
}

async function applyBackends(
  { store, now, log }: BootstrapOptions,
  project: ProjectRecord,
  wanted: readonly ConfiguredBackend[],
): Promise<void> {
  const present = await store.backends.listWithCredentials(project.id);
  for (const entry of wanted) {
    const { config, auth } = withoutSecrets(entry);
    const set = { config, sourceConfig: config, auth, sourceAuth: auth };
    const type: BackendType = entry.type;
    const old = present.find((backend) => backend.type === type);
    if (!old) {
      const times = { createdAt: now(), updatedAt: now() };
      await store.backends.insert({
        id: randomUUID(),
        projectId: project.id,
        type,
        ...times,
        ...set,
      });
    } else if (
      JSON.stringify([old.sourceConfig, old.sourceAuth]) !== JSON.stringify([config, auth])
    ) {
      await store.backends.update(project.id, type, set);
    }
  }
  const gone = present.filter((backend) => !wanted.some((entry) => entry.type === backend.type));
  for (const backend of gone) {
    log.warn(
      { project: project.name, backend: backend.type },
      'backend is not in config.yml any more; removing it',
    );
  }
  if (gone.length > 0)
    await store.backends.delete(
      project.id,
      gone.map((backend) => backend.type),
    );
}

/** Keys of a backend's configuration that hold secrets, whatever its type. */
const SECRET_KEYS = new Set(['creds', 'kubeconfig', 'clusters']);

function withoutSecrets(entry: ConfiguredBackend) {
  const isSecret = ([key]: [string, unknown]) => SECRET_KEYS.has(key);
  const fields = Object.entries(entry);
  return {
    config: Object.fromEntries(fields.filter((field) => !isSecret(field))),
    auth: Object.fromEntries(fields.filter(isSecret)),
  };
}

function created(
  message: string,
  type: 'user' | 'project',
  id: string,
  name: string,
  projectId: string | null,
): NewEvent {
  return { message, actorUserId: null, targets: [{ type, id, name, projectId, parentId: null }] };
}
