/** The projects of a simulation, and the API as their users use it. */
import { generateKeyPairSync } from 'node:crypto';
import {
  DEFAULT_JOB_SPEC_SETTINGS,
  DEFAULT_RUN_SPEC_SETTINGS,
  type EngineSettings,
} from '@dstack/core';
import type { ProjectRecord, Store, UserRecord } from '@dstack/store';
import { pino } from 'pino';
import type { HttpDeps } from '../../http/ports.ts';
import { createProject } from '../../http/projects/service.ts';
import { createUser } from '../../http/users/service.ts';
import { capacityHints } from '../../offers/capacity-hints.ts';
import type { ProjectBackends } from '../../offers/project-backends.ts';
import type { SimWorld } from './sim-backends.ts';

const SSH_KEY = testKey();

export interface SimProjects {
  readonly deps: HttpDeps;
  /** Manages everything. */
  readonly user: UserRecord;
  /** Who submit runs. */
  readonly users: readonly UserRecord[];
  /** Is in no project. */
  readonly stranger: UserRecord;
  readonly projects: readonly ProjectRecord[];
  readonly sshKey: typeof SSH_KEY;
}

export async function makeProjects({
  store,
  now,
  newId,
  backends,
  settings,
}: {
  readonly store: Store;
  readonly now: () => number;
  readonly newId: () => string;
  readonly backends: Pick<ProjectBackends, 'state'>;
  readonly settings: EngineSettings;
}): Promise<SimProjects> {
  const pair = { privateKey: SSH_KEY.private, publicKey: SSH_KEY.public };
  const deps = {
    store,
    backends,
    keys: { user: async () => pair, project: async () => pair },
    images: { find: async () => null },
    offers: { answer: async () => new Map() },
    expectHosts: () => {},
    files: { admitWork: () => {} },
    context: () => ({ now: now(), newId, settings }),
    settings: {
      permissions: { allow_non_admins_manage_ssh_fleets: true },
      runSpecs: DEFAULT_RUN_SPEC_SETTINGS,
      jobSpecs: DEFAULT_JOB_SPEC_SETTINGS,
      defaultRegistry: null,
      sshEntry: null,
      serviceOrigins: null,
      ...{ url: null, gatewayPorts: { http: 80, https: 443 } },
    },
    log: pino({ level: 'silent' }),
  } as unknown as HttpDeps;
  const admin = { global_role: 'admin', email: null, active: true } as const;
  const user = await createUser(deps, { ...admin, username: 'ann' }, null, 'token');
  const other = await createUser(deps, { ...admin, username: 'bob' }, null, 'second');
  const plain = { global_role: 'user', email: null, active: true } as const;
  const stranger = await createUser(deps, { ...plain, username: 'eve' }, null, 'third');
  const projects: ProjectRecord[] = [];
  for (const project_name of ['first', 'second', 'third']) {
    const asked = { project_name, is_public: false, templates_repo: null };
    projects.push(await createProject(deps, asked, user));
  }
  const [first, , third] = projects;
  for (const project of [first, third]) {
    if (!project) continue;
    const empty = { config: {}, sourceConfig: null, auth: {}, sourceAuth: null };
    const row = { id: newId(), projectId: project.id, type: 'aws' } as const;
    await store.backends.insert({ ...row, ...empty, createdAt: now(), updatedAt: now() });
  }
  return { deps, user, users: [user, other], stranger, projects, sshKey: SSH_KEY };
}

/** Never used to log in anywhere; generated anew for each process. */
function testKey(): { readonly public: string; readonly private: string } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    public: 'ecdsa-sha2-nistp256 AAAA simulation',
    private: privateKey.export({ type: 'sec1', format: 'pem' }).toString(),
  };
}

/** The first project has a cloud and the server's machine, the second the machine, the third only clouds. */
export function backendsOf(
  { cloud, pods, local }: SimWorld,
  projects: () => readonly ProjectRecord[],
): ProjectBackends {
  const of = async (projectId: string) => {
    const [first, second, third] = projects();
    if (projectId === first?.id) return [local, cloud];
    if (projectId === second?.id) return [local];
    return projectId === third?.id ? [cloud, pods] : [];
  };
  return {
    of,
    find: async (projectId, name) =>
      (await of(projectId)).find((backend) => backend.name === name) ?? null,
    state: async (projectId) => ({
      ...{ abilities: [], localOff: null },
      hints: capacityHints(await of(projectId)),
    }),
  };
}
