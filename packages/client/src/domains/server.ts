import type {
  Event,
  Instance,
  JobMetrics,
  OAuthProviderInfo,
  OrphanReport,
  Project,
  ServerInfo,
  User,
  UserWithCreds,
} from '@dstack/contract/wire';
import type { Transport } from '../transport.ts';

export interface ListEventsQuery {
  readonly target_projects?: readonly string[];
  readonly target_users?: readonly string[];
  readonly target_fleets?: readonly string[];
  readonly target_instances?: readonly string[];
  readonly target_runs?: readonly string[];
  readonly target_jobs?: readonly string[];
  readonly target_volumes?: readonly string[];
  readonly target_gateways?: readonly string[];
  readonly target_secrets?: readonly string[];
  readonly within_projects?: readonly string[];
  readonly within_fleets?: readonly string[];
  readonly within_runs?: readonly string[];
  readonly within_gateways?: readonly string[];
  readonly include_target_types?: readonly string[];
  readonly actors?: readonly (string | null)[];
  readonly prev_recorded_at?: string | null;
  readonly prev_id?: string | null;
  /** 1..100. */
  readonly limit?: number;
  readonly ascending?: boolean;
}

export interface JobMetricsFilter {
  readonly run_id?: string;
  readonly replica_num: number;
  readonly job_num: number;
  readonly limit: number;
  readonly after?: string;
  readonly before?: string;
}

/** Calls that belong to no project. */
export function serverCalls(transport: Transport) {
  return {
    info: (): Promise<ServerInfo> => transport.read('/api/server/get_info'),
    listOrphans: (): Promise<OrphanReport> => transport.get('/api/server/orphans', {}),
    listEvents: (query: ListEventsQuery): Promise<Event[]> =>
      transport.read('/api/events/list', query),
    listInstances: (query: {
      project_names?: readonly string[] | null;
      fleet_ids?: readonly string[] | null;
      only_active?: boolean;
      limit?: number;
    }): Promise<Instance[]> => transport.read('/api/instances/list', query),
  };
}

/** Logging in through a provider; needs no token. */
export function authOf(transport: Transport) {
  const path = (provider: string, step: string): string =>
    `/api/auth/${encodeURIComponent(provider)}/${step}`;
  return {
    listProviders: (): Promise<OAuthProviderInfo[]> => transport.read('/api/auth/list_providers'),
    /** The URL for the user's browser; the provider redirects to `localPort` with a code. */
    authorize: (provider: string, localPort: number): Promise<{ authorization_url: string }> =>
      transport.write(path(provider, 'authorize'), { local_port: localPort, base_url: null }),
    /** Exchanges the parameters of the provider's redirect for the user and a token. */
    callback: (provider: string, code: string, state: string): Promise<UserWithCreds> =>
      transport.write(path(provider, 'callback'), { code, state, base_url: null }),
  };
}

/** Calls on users. */
export function usersOf(transport: Transport) {
  return {
    /** The caller, with token and SSH key pair. */
    getMyUser: (): Promise<UserWithCreds> => transport.read('/api/users/get_my_user'),
    get: (username: string): Promise<UserWithCreds> =>
      transport.read('/api/users/get_user', { username }),
    list: (): Promise<User[]> => transport.read('/api/users/list', {}),
    create: (user: {
      username: string;
      global_role: User['global_role'];
      email?: string | null;
      active?: boolean;
    }): Promise<User> => transport.write('/api/users/create', user),
    refreshToken: (username: string): Promise<UserWithCreds> =>
      transport.write('/api/users/refresh_token', { username }),
    delete: (usernames: readonly string[]): Promise<void> =>
      transport.write('/api/users/delete', { users: usernames }),
  };
}

/** Calls on projects themselves. */
export function projectCalls(transport: Transport) {
  return {
    list: (query: { include_not_joined?: boolean } = {}): Promise<Project[]> =>
      transport.read('/api/projects/list', query),
    get: (name: string): Promise<Project> =>
      transport.read(`/api/projects/${encodeURIComponent(name)}/get`),
    create: (request: {
      project_name: string;
      is_public?: boolean;
      templates_repo?: string | null;
    }): Promise<Project> => transport.write('/api/projects/create', request),
    delete: (names: readonly string[]): Promise<void> =>
      transport.write('/api/projects/delete', { projects_names: names }),
  };
}

/** Reads metrics of one project's jobs; values are newest first. */
export function metricsOf(transport: Transport, base: string) {
  return {
    job: (runName: string, query: JobMetricsFilter): Promise<JobMetrics> =>
      transport.get(`${base}/metrics/job/${encodeURIComponent(runName)}`, { ...query }),
  };
}
