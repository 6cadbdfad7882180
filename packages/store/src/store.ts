import type { Timestamp } from '@dstack/core';
import type { Access } from './access/types.ts';
import type { Backends } from './backends/types.ts';
import type { Cipher } from './base/cipher.ts';
import type { StoreLogger } from './base/logger.ts';
import type { Changes } from './changes/types.ts';
import type { CountedPeers } from './connection/bus.ts';
import type { EngineStore } from './engine/types.ts';
import type { Events } from './events/types.ts';
import type { Exports } from './exports/types.ts';
import type { Files } from './files/types.ts';
import type { Fleets } from './fleets/types.ts';
import type { Gateways } from './gateways/types.ts';
import type { Groups } from './groups/types.ts';
import type { HostAccesses } from './host-access/types.ts';
import type { Observations } from './instances/observations.ts';
import type { Instances } from './instances/types.ts';
import type { Jobs, Metrics, Reports, StoredHosts } from './jobs/types.ts';
import type { Ledger } from './ledger/types.ts';
import type { Logs } from './logs/types.ts';
import type { Meta } from './meta/types.ts';
import type { ModelUsage } from './model-usage/types.ts';
import type { Pools } from './pools/types.ts';
import type { Projects } from './projects/types.ts';
import type { Quotas } from './quotas/types.ts';
import type { ProjectRepos } from './repos/types.ts';
import type { Retention } from './retention/types.ts';
import type { Runs } from './runs/types.ts';
import type { Secrets } from './secrets/types.ts';
import type { ServiceSessions } from './service-sessions/types.ts';
import type { Services } from './services/types.ts';
import type { Sessions } from './sessions/types.ts';
import type { SignInCodes } from './sign-in-codes/types.ts';
import type { Sweeps } from './sweeps/types.ts';
import type { Users } from './users/types.ts';
import type { VolumeObservations } from './volumes/observations.ts';
import type { Volumes } from './volumes/types.ts';

export interface OpenStoreOptions {
  /** `sqlite:///path`, `postgres://…`, `postgresql://…` or `postgresql+asyncpg://…`. */
  readonly url: string;
  /** Microseconds since the epoch. */
  readonly now: () => Timestamp;
  /** Microseconds that no step of the host's clock moves; default: the clock of this process. */
  readonly monotonic?: () => number;
  /** UUID v4. */
  readonly newId: () => string;
  readonly logger: StoreLogger;
  readonly cipher: Cipher;
  /** Receives every statement, without its values. */
  readonly onStatement?: (sql: string) => void;
  /** Connections to PostgreSQL that stay open (default 10); one more listens. */
  readonly poolSize?: number;
  /** Connections above these while they are needed (default 10). */
  readonly maxOverflow?: number;
  /** Time limit of a statement on PostgreSQL in milliseconds (default one minute); 0 = none. */
  readonly commandTimeoutMs?: number;
  /** Seconds in which half of what projects have used of shared pools is forgotten (default 7 days). */
  readonly shareHalfLife?: number;
  /** Awaited before each transaction that writes: resolves once `now` is the time of the database. Omitted: it always is. */
  readonly measured?: () => Promise<void>;
  /** False: events are not stored (`DSTACK_SERVER_EVENTS_TTL_SECONDS` <= 0). */
  readonly storeEvents?: boolean;
}

/** The database of one server. All instants are integer microseconds since the epoch. */
export interface Store {
  readonly dialect: 'sqlite' | 'postgres';
  /** Whether other servers may work on the same database (PostgreSQL). */
  readonly shared: boolean;
  /** For secrets inside stored documents. */
  readonly cipher: Cipher;
  readonly users: Users;
  readonly projects: Projects;
  readonly pools: Pools;
  readonly backends: Backends;
  readonly fleets: Fleets;
  readonly instances: Instances;
  readonly runs: Runs;
  readonly jobs: Jobs;
  readonly reports: Reports;
  readonly logs: Logs;
  readonly hosts: StoredHosts;
  readonly observations: Observations;
  readonly hostAccess: HostAccesses;
  readonly metrics: Metrics;
  readonly services: Services;
  readonly modelUsage: ModelUsage;
  readonly ledger: Ledger;
  readonly events: Events;
  readonly secrets: Secrets;
  readonly repos: ProjectRepos;
  readonly files: Files;
  readonly volumes: Volumes;
  readonly volumeObservations: VolumeObservations;
  readonly gateways: Gateways;
  readonly groups: Groups;
  readonly sweeps: Sweeps;
  readonly retention: Retention;
  readonly exports: Exports;
  readonly quotas: Quotas;
  readonly meta: Meta;
  readonly sessions: Sessions;
  readonly serviceSessions: ServiceSessions;
  readonly signInCodes: SignInCodes;
  readonly access: Access;
  readonly changes: Changes;
  readonly peers: CountedPeers;
  readonly engine: EngineStore;
  close(): Promise<void>;
}
