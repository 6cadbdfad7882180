import type {
  CostReport,
  Event,
  Fleet,
  Instance,
  JobMetrics,
  MeasuredUse,
  MetricsHistory,
  OAuthProviderInfo,
  OrphanReport,
  Overview,
  Project,
  ProjectRole,
  PublicKeyInfo,
  ServerInfo,
  ServerStatus,
  ServerUsage,
  User,
  UserWithCreds,
  Volume,
} from '@dstack/contract/wire';
import type { CallOptions, Transport } from '../transport.ts';

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

/** The common part of the lists over all projects of the caller. */
export interface ListResourcesQuery {
  readonly project_name?: string | null;
  readonly only_active?: boolean;
  /** 1..100. */
  readonly limit?: number;
  readonly prev_created_at?: string | null;
  readonly prev_id?: string | null;
}

export interface JobMetricsFilter {
  readonly run_id?: string;
  readonly replica_num: number;
  readonly job_num: number;
  readonly limit: number;
  readonly after?: string;
  readonly before?: string;
}

export interface MetricsHistoryQuery {
  readonly run_id: string;
  readonly jobs: readonly { readonly replica_num: number; readonly job_num: number }[];
  readonly after: string | null;
  readonly points?: number;
}

export interface CostFilter {
  readonly project_name?: string | null;
  readonly since?: string | null;
  readonly until?: string | null;
  readonly by: CostReport['by'];
  /** With `by: 'tag'`: its key. */
  readonly tag?: string | null;
}

/** Calls that belong to no project. */
export function serverCalls(transport: Transport) {
  return {
    info: (options?: CallOptions): Promise<ServerInfo> =>
      transport.read('/api/server/get_info', undefined, options),
    /** The cost of jobs. Older servers answer as for an unknown path. */
    cost: (query: CostFilter): Promise<CostReport> => transport.get('/api/cost', { ...query }),
    /** For admins of the server. Older servers answer as for an unknown path. */
    status: (): Promise<ServerStatus> => transport.get('/api/server/status', {}),
    usage: (): Promise<ServerUsage> => transport.get('/api/server/usage', {}),
    listOrphans: (): Promise<OrphanReport> => transport.get('/api/server/orphans', {}),
    /** The counts of one project, or of all projects of the caller. Older servers answer as for an unknown path. */
    overview: (projectName?: string): Promise<Overview> =>
      transport.get(
        '/api/overview',
        projectName === undefined ? {} : { project_name: projectName },
      ),
    listEvents: (query: ListEventsQuery): Promise<Event[]> =>
      transport.read('/api/events/list', query),
    listInstances: (query: {
      project_names?: readonly string[] | null;
      fleet_ids?: readonly string[] | null;
      only_active?: boolean;
      include_imported?: boolean;
      limit?: number;
    }): Promise<Instance[]> => transport.read('/api/instances/list', query),
    /** Accepts 100 instances at most. Servers of dstack 0.22.5 have no such call. */
    recentUse: (instanceIds: readonly string[]): Promise<MeasuredUse[]> =>
      transport.read('/api/instances/recent_use', { instance_ids: instanceIds }),
    listFleets: (query: ListResourcesQuery & { include_imported?: boolean }): Promise<Fleet[]> =>
      transport.read('/api/fleets/list', query),
    listVolumes: (query: ListResourcesQuery): Promise<Volume[]> =>
      transport.read('/api/volumes/list', query),
    listBackendTypes: (): Promise<string[]> => transport.read('/api/backends/list_types'),
  };
}

/** Logging in through a provider; needs no token. */
export function authOf(transport: Transport) {
  const path = (provider: string, step: string): string =>
    `/api/auth/${encodeURIComponent(provider)}/${step}`;
  return {
    listProviders: (): Promise<OAuthProviderInfo[]> => transport.read('/api/auth/list_providers'),
    /**
     * The URL for the user's browser; the provider redirects to `localPort` with a code, or, if it is null,
     * to a page of the server. `challenge`: SHA-256 of a verifier for the callback, in base64url.
     */
    authorize: (
      provider: string,
      localPort: number | null,
      challenge: string | null = null,
    ): Promise<{ authorization_url: string }> =>
      transport.write(path(provider, 'authorize'), {
        ...{ local_port: localPort, base_url: null },
        ...(challenge !== null && { challenge }),
      }),
    /**
     * Where a page must redirect, because a client on the user's computer has begun; null: nowhere. `needs_consent`: only
     * if the person agrees that the client acts as the user `username`.
     */
    nextRedirect: (redirected: {
      readonly code: string;
      readonly state: string;
      readonly iss: string | null;
    }): Promise<{
      redirect_url: string | null;
      needs_consent?: boolean;
      username?: string | null;
    }> => transport.write('/api/auth/get_next_redirect', redirected),
    /** Exchanges the parameters of the provider's redirect for the user and a token. */
    callback: (
      provider: string,
      redirected: { readonly code: string; readonly state: string },
      verifier: string | null = null,
    ): Promise<UserWithCreds> =>
      transport.write(path(provider, 'callback'), {
        ...{ ...redirected, base_url: null },
        ...(verifier !== null && { verifier }),
      }),
  };
}

/** `username` may be an e-mail address. */
export interface ProjectMemberRole {
  readonly username: string;
  readonly project_role: ProjectRole;
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
    /** Replaces role, e-mail address and `active`. */
    update: (user: {
      username: string;
      global_role: User['global_role'];
      email: string | null;
      active: boolean;
    }): Promise<User> => transport.write('/api/users/update', user),
    refreshSshKey: (username: string): Promise<UserWithCreds> =>
      transport.write('/api/users/refresh_ssh_key', { username }),
    /** Public keys of the caller. */
    listPublicKeys: (): Promise<PublicKeyInfo[]> => transport.read('/api/users/public_keys/list'),
    addPublicKey: (key: string, name: string | null): Promise<PublicKeyInfo> =>
      transport.write('/api/users/public_keys/add', { key, name }),
    deletePublicKeys: (ids: readonly string[]): Promise<void> =>
      transport.write('/api/users/public_keys/delete', { ids }),
    refreshToken: (username: string): Promise<UserWithCreds> =>
      transport.write('/api/users/refresh_token', { username }),
    delete: (usernames: readonly string[]): Promise<void> =>
      transport.write('/api/users/delete', { users: usernames }),
  };
}

/** Calls on projects themselves. */
export function projectCalls(transport: Transport) {
  return {
    /** `username`: only projects of this user, with the membership in `members`. */
    list: (query: { include_not_joined?: boolean; username?: string } = {}): Promise<Project[]> =>
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
    update: (
      name: string,
      change: {
        is_public?: boolean | null;
        templates_repo?: string | null;
        reset_templates_repo?: boolean;
      },
    ): Promise<Project> =>
      transport.write(`/api/projects/${encodeURIComponent(name)}/update`, {
        is_public: null,
        templates_repo: null,
        reset_templates_repo: false,
        ...change,
      }),
    /** Adds members, or changes their roles. */
    addMembers: (name: string, members: readonly ProjectMemberRole[]): Promise<Project> =>
      transport.write(`/api/projects/${encodeURIComponent(name)}/add_members`, { members }),
    removeMembers: (name: string, usernames: readonly string[]): Promise<Project> =>
      transport.write(`/api/projects/${encodeURIComponent(name)}/remove_members`, { usernames }),
  };
}

/** Reads metrics of one project's jobs; values are newest first. */
export function metricsOf(transport: Transport, base: string) {
  return {
    job: (runName: string, query: JobMetricsFilter): Promise<JobMetrics> =>
      transport.get(`${base}/metrics/job/${encodeURIComponent(runName)}`, { ...query }),
    /** Accepts 16 jobs at most. Servers of dstack 0.22.5 have no such call. */
    history: (query: MetricsHistoryQuery): Promise<MetricsHistory> =>
      transport.read(`${base}/metrics/history`, { ...query }),
  };
}
