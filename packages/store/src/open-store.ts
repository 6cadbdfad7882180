import { errorMessage } from '@dstack/contract/error-message';
import { createAccess } from './access/access.ts';
import { createBackends } from './backends/backends.ts';
import { StoreError } from './base/errors.ts';
import { FleetIndexes, type InstanceWatch } from './caches/fleet-indexes.ts';
import { PoolGpuPrices } from './caches/gpu-prices.ts';
import { RecordCache } from './caches/record-cache.ts';
import type { Bus } from './connection/bus.ts';
import { localBus } from './connection/bus.ts';
import {
  DEFAULT_COMMAND_TIMEOUT_MS,
  MIGRATION_LIMITS,
  postgresLimits,
} from './connection/limits.ts';
import { openPostgres, type PostgresOptions } from './connection/postgres.ts';
import { postgresBus } from './connection/postgres-bus.ts';
import { openMemorySqlite, openSqlite } from './connection/sqlite.ts';
import { type DatabaseUrl, parseDatabaseUrl } from './connection/url.ts';
import type { Db, StoreContext } from './context/context.ts';
import { createGroupedWrites } from './context/grouped-writes.ts';
import { createTransactions } from './context/transactions.ts';
import { createEngine } from './engine/engine.ts';
import { ChangeNotifier } from './events/change-notifier.ts';
import { createEvents } from './events/events.ts';
import { createEventRecorder } from './events/record-events.ts';
import { createExports } from './exports/exports.ts';
import { createFiles } from './files/files.ts';
import { createFleets } from './fleets/fleets.ts';
import { createGateways } from './gateways/gateways.ts';
import { createGroups } from './groups/groups.ts';
import { createHostAccess } from './host-access/host-access.ts';
import { createInstances } from './instances/instances.ts';
import { createObservations } from './instances/observations.ts';
import { createHosts } from './jobs/hosts.ts';
import { createJobs } from './jobs/jobs.ts';
import { createMetrics } from './jobs/metrics.ts';
import { createReports } from './jobs/reports.ts';
import { createLedger } from './ledger/ledger.ts';
import { createLogPieces } from './logs/log-pieces.ts';
import { createMeta } from './meta/meta.ts';
import { migrate } from './migrations/migrate.ts';
import { createModelUsage } from './model-usage/model-usage.ts';
import { createPools } from './pools/pools.ts';
import { createProjects } from './projects/projects.ts';
import { createQuotas } from './quotas/quotas.ts';
import { createRepos } from './repos/repos.ts';
import { createRetention } from './retention/retention.ts';
import { createRuns } from './runs/runs.ts';
import { createSecrets } from './secrets/secrets.ts';
import { createServiceSessions } from './service-sessions/service-sessions.ts';
import { createServices } from './services/services.ts';
import { createSessions } from './sessions/sessions.ts';
import { createSignInCodes } from './sign-in-codes/sign-in-codes.ts';
import type { OpenStoreOptions, Store } from './store.ts';
import { createSweeps } from './sweeps/sweeps.ts';
import { createUsers } from './users/users.ts';
import { createVolumeObservations } from './volumes/observations.ts';
import { createVolumes } from './volumes/volumes.ts';

const DEFAULT_POOL_SIZE = 10;
const DEFAULT_MAX_OVERFLOW = 10;
const DEFAULT_SHARE_HALF_LIFE = 7 * 86_400;

/** An open database of either kind. */
interface Connection {
  readonly db: Db;
  readonly bus: Bus;
  /** Null: other servers write as well. */
  readonly watchInstances: InstanceWatch | null;
  close(): Promise<void>;
}

/**
 * Opens the database, creates or migrates its schema, and returns the store. Throws a `StoreError`
 * if the URL is invalid, another server uses the SQLite file, or the database is newer or belongs
 * to another program.
 */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const url = parseDatabaseUrl(options.url);
  const connection =
    url.dialect === 'sqlite'
      ? await connectSqlite(options, url)
      : await connectPostgres(options, url);
  try {
    return createStore(options, url.dialect, connection, await lastEventTime(connection.db));
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/**
 * A store in the memory of this process, for simulations: nothing waits for a disk. Queries and
 * migrations are the same as on a file. Closing it writes it to `file`, which must not exist, if that is given.
 */
export async function openMemoryStore(
  options: Omit<OpenStoreOptions, 'url'>,
  file?: string,
): Promise<Store> {
  const opened = openMemorySqlite(options.onStatement, file);
  await migrate({ db: opened.db, postgres: false, now: options.now, label: 'in memory' });
  return createStore(options, 'sqlite', { ...opened, bus: localBus(options.logger) }, 0);
}

async function connectSqlite(
  options: OpenStoreOptions,
  url: Extract<DatabaseUrl, { dialect: 'sqlite' }>,
): Promise<Connection> {
  const opened = openSqlite(url.path, options.now, options.onStatement);
  await migrateOrClose(options, url, opened.db, opened.close);
  return { ...opened, bus: localBus(options.logger) };
}

async function connectPostgres(
  options: OpenStoreOptions,
  url: Extract<DatabaseUrl, { dialect: 'postgres' }>,
): Promise<Connection> {
  const { connectionString, label } = url;
  const { logger, onStatement } = options;
  const shared = { connectionString, logger, onStatement };
  await migratePostgres(options, url, { ...shared, limits: MIGRATION_LIMITS });
  const { db, processIds, close } = openPostgres({
    ...shared,
    poolSize: options.poolSize ?? DEFAULT_POOL_SIZE,
    maxOverflow: options.maxOverflow ?? DEFAULT_MAX_OVERFLOW,
    limits: postgresLimits(options.commandTimeoutMs ?? DEFAULT_COMMAND_TIMEOUT_MS),
  });
  try {
    const bus = await postgresBus({
      ...{ db, connectionString, label, ownProcessIds: processIds, logger },
    });
    return {
      db,
      bus,
      watchInstances: null,
      async close() {
        await bus.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error instanceof StoreError ? error : unreachable(label, error);
  }
}

/** On a connection of its own, with the time limits that migrations need. */
async function migratePostgres(
  options: OpenStoreOptions,
  url: DatabaseUrl,
  how: Omit<PostgresOptions, 'poolSize' | 'maxOverflow'>,
): Promise<void> {
  const { db, close } = openPostgres({ ...how, poolSize: 1, maxOverflow: 0 });
  await migrateOrClose(options, url, db, close);
  await close();
}

async function migrateOrClose(
  options: OpenStoreOptions,
  url: DatabaseUrl,
  db: Db,
  close: () => Promise<void>,
): Promise<void> {
  const postgres = url.dialect === 'postgres';
  try {
    const { applied, created, newer } = await migrate({
      ...{ db, postgres, now: options.now, label: url.label },
    });
    if (created) options.logger.info({ database: url.label }, 'the database was created');
    else if (applied.length > 0) {
      options.logger.info({ database: url.label, applied }, 'the database schema is up to date');
    }
    if (newer.length > 0) {
      options.logger.info({ database: url.label, newer }, 'the database is of a newer version');
    }
  } catch (error) {
    await close();
    throw error instanceof StoreError || !isConnectionError(error)
      ? error
      : unreachable(url.label, error);
  }
}

/** Codes of sockets and of refused sessions; every other error is a fault of this program. */
function isConnectionError(error: unknown): boolean {
  const code = (error as { readonly code?: unknown } | null)?.code;
  const timedOut = error instanceof Error && /timeout|terminated/i.test(error.message);
  return (
    timedOut || (typeof code === 'string' && /^(E[A-Z]+|08...|28...|3D000|53...|57P0.)$/.test(code))
  );
}

function unreachable(label: string, cause: unknown): StoreError {
  return new StoreError(
    'store_unreachable',
    `The database ${label} cannot be reached: ${errorMessage(cause)}`,
    'Check that PostgreSQL runs there and that user, password and database in DSTACK_DATABASE_URL are right.',
    cause,
  );
}

/** Closing twice has the effect of closing once. */
function once(close: () => Promise<void>): () => Promise<void> {
  let closed: Promise<void> | null = null;
  return () => {
    closed ??= close();
    return closed;
  };
}

async function lastEventTime(db: Db): Promise<number> {
  const row = await db
    .selectFrom('events')
    .select((eb) => eb.fn.max('recorded_at').as('last'))
    .executeTakeFirst();
  return row?.last ?? 0;
}

function createStore(
  options: Omit<OpenStoreOptions, 'url'>,
  dialect: Store['dialect'],
  connection: Connection,
  lastEvent: number,
): Store {
  const { db, bus } = connection;
  const { now, newId, cipher, logger } = options;
  const monotonic = options.monotonic ?? (() => performance.now() * 1000);
  const postgres = dialect === 'postgres';
  const recorder = createEventRecorder({
    now,
    newId,
    stored: options.storeEvents ?? true,
    last: postgres ? 0 : lastEvent,
  });
  const written = new ChangeNotifier();
  bus.onEventsElsewhere(() => written.notify());
  const records = new RecordCache();
  const transactions = createTransactions({
    ...{ db, bus, postgres },
    recordEvents: recorder.record,
    eventsWritten: () => written.notify(),
    measured: options.measured,
  });
  const context: StoreContext = {
    ...{ db, bus, postgres, now, monotonic, newId, cipher, logger, records },
    gpuPrices: new PoolGpuPrices(),
    shareHalfLife: options.shareHalfLife ?? DEFAULT_SHARE_HALF_LIFE,
    fleetIndexes: new FleetIndexes({ records, watch: connection.watchInstances }),
    ...transactions,
    writeGrouped: createGroupedWrites(transactions.write),
  };
  return {
    dialect,
    shared: postgres,
    cipher: context.cipher,
    users: createUsers(context),
    projects: createProjects(context),
    pools: createPools(context),
    backends: createBackends(context),
    fleets: createFleets(context),
    instances: createInstances(context),
    runs: createRuns(context),
    jobs: createJobs(context),
    reports: createReports(context),
    logs: { tables: createLogPieces(context), signals: bus.logs },
    hosts: createHosts(context),
    observations: createObservations(context),
    hostAccess: createHostAccess(context),
    metrics: createMetrics(context),
    services: createServices(context),
    modelUsage: createModelUsage(context),
    ledger: createLedger(context),
    events: createEvents(context, written),
    secrets: createSecrets(context),
    repos: createRepos(context),
    files: createFiles(context),
    volumes: createVolumes(context),
    volumeObservations: createVolumeObservations(context),
    gateways: createGateways(context),
    groups: createGroups(context),
    sweeps: createSweeps(context),
    retention: createRetention(context),
    exports: createExports(context),
    quotas: createQuotas(context),
    meta: createMeta(context),
    sessions: createSessions(context),
    serviceSessions: createServiceSessions(context),
    signInCodes: createSignInCodes(context),
    access: createAccess(context),
    peers: bus.peers,
    changes: {
      subscribe: (onChanges, onMissed) =>
        bus.onChanges((changes) => (changes === null ? onMissed() : onChanges(changes))),
    },
    engine: createEngine(context),
    close: once(connection.close),
  };
}
