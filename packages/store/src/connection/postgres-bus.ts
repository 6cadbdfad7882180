import type { Id, NewEvent, WorkKind } from '@dstack/core';
import { type Kysely, sql } from 'kysely';
import pg from 'pg';
import type { StoreLogger } from '../base/logger.ts';
import { decodeChanges, encodeChanges } from '../changes/record-change.ts';
import type { AccessSubject, RecordChange } from '../changes/types.ts';
import { newerMigrations, SCHEMA_LOCK } from '../migrations/migrate.ts';
import type { DB } from '../schema/db.ts';
import { answered, ended } from './answered.ts';
import { type Announcement, type Bus, Listeners, Subscribers } from './bus.ts';
import { CONNECTION } from './postgres.ts';

const CHANNEL = 'dstack_signals';

/** The name of the connection by which a server receives notifications. */
const LISTENER = 'dstack signals';

/** Payload prefix instead of a kind of work: more of a log is stored. */
const LOG = 'log';

/** Payload prefix instead of a kind of work: events were written; the id is their run or empty. */
const EVENT = 'event';

/** Payload prefix instead of a kind of work: access changed; the id is `user/<id>` or `project/<id>`. */
const ACCESS = 'access';

/** Payload prefix instead of a kind of work: records changed. */
const CHANGE = 'change';

/** Payload prefix instead of a kind of work: see `Peers`. */
const PEER = 'peer';

/** Limit for the few statements on this connection; after them it only listens. */
const ANSWER_MS = 10_000;

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

/**
 * LISTEN/NOTIFY on a separate connection, which is opened again when it breaks. After a gap,
 * subscribers are notified that they may have missed something. Our own notifications are ignored
 * here, because this server's listeners received those signals directly.
 */
export async function postgresBus(options: {
  readonly db: Kysely<DB>;
  readonly connectionString: string;
  /** For error messages: the database without its password. */
  readonly label: string;
  readonly ownProcessIds: ReadonlySet<number>;
  readonly logger: StoreLogger;
}): Promise<Bus> {
  const subscribers = new Subscribers(options.logger);
  const access = new Listeners<AccessSubject | null>(options.logger);
  const changes = new Listeners<readonly RecordChange[] | null>(options.logger);
  const deliverChanges = (changed: readonly RecordChange[]) => {
    if (changed.length > 0) changes.notify([changed]);
  };
  const peers = new Listeners<string>(options.logger);
  const logListeners = new Set<(stream: string) => void>();
  const eventListeners = new Set<(runId: Id | null) => void>();
  const eventsElsewhere = (runId: Id | null) => {
    for (const onEvents of eventListeners) onEvents(runId);
  };
  const listener = new Listener(
    options,
    (kind, id) => {
      if (kind === LOG) for (const onLog of logListeners) onLog(id);
      else if (kind === PEER) peers.notify([id]);
      else if (kind === EVENT) eventsElsewhere(id || null);
      else if (kind === ACCESS) access.notify([subjectOf(id)]);
      else if (kind === CHANGE) deliverChanges(decodeChanges(id));
      else subscribers.deliver([{ kind: kind as WorkKind, id }]);
    },
    () => {
      subscribers.missed();
      eventsElsewhere(null);
      access.notify([null]);
      changes.notify([null]);
    },
  );
  await listener.start();
  /** A message that is lost here is sent again soon, or polled for. */
  const notify = (payloads: readonly string[]) => {
    notification(payloads)
      .execute(options.db)
      .catch((error: unknown) => {
        options.logger.warn({ err: error }, 'other servers were not notified of progress');
      });
  };
  return {
    subscribe: (onSignal, missed) => subscribers.add(onSignal, missed),
    async announce(tx, announcement) {
      const payloads = payloadsOf(announcement);
      if (payloads.length === 0) return;
      await notification(payloads).execute(tx);
    },
    deliver: (signals) => subscribers.deliver(signals),
    deliverAccess: (subjects) => access.notify(subjects),
    onAccessChanged: (onAccess) => access.add(onAccess),
    deliverChanges,
    announceProgress(changed) {
      notify(encodeChanges(changed).map((text) => `${CHANGE}:${text}`));
    },
    onChanges: (onChanges) => changes.add(onChanges),
    onEventsElsewhere(onEvents) {
      eventListeners.add(onEvents);
      return () => eventListeners.delete(onEvents);
    },
    peers: {
      send: (texts) => notify(texts.map((text) => `${PEER}:${text}`)),
      subscribe: (listener) => peers.add(listener),
      async others() {
        const { rows } = await sql<{ many: number }>`
          select count(*)::int as many from pg_stat_activity
          where application_name = ${LISTENER} and datname = current_database()
            and pid is distinct from ${listener.processId}`.execute(options.db);
        return rows[0]?.many ?? 0;
      },
    },
    logs: {
      announce: (stream) => notify([`${LOG}:${stream}`]),
      subscribe(onLog) {
        logListeners.add(onLog);
        return () => logListeners.delete(onLog);
      },
    },
    close: () => listener.close(),
  };
}

function notification(payloads: readonly string[]) {
  return sql`select pg_notify(${CHANNEL}, payload) from unnest(${payloads}::text[]) payload`;
}

function payloadsOf({ signals, events, access, changes }: Announcement): string[] {
  return [
    ...new Set([
      ...signals.map(({ kind, id }) => `${kind}:${id}`),
      ...runsOf(events).map((id) => `${EVENT}:${id}`),
      ...access.map(({ kind, id }) => `${ACCESS}:${kind}/${id}`),
      ...encodeChanges(changes).map((text) => `${CHANGE}:${text}`),
    ]),
  ];
}

/** Null (the access of all users) if a newer server sends a kind that this one does not support. */
function subjectOf(text: string): AccessSubject | null {
  const [, kind, id = ''] = /^(user|project)\/(.+)$/.exec(text) ?? [];
  return kind === undefined ? null : { kind: kind as AccessSubject['kind'], id };
}

/** The runs that the events are about; '' for an event about no run. */
function runsOf(events: readonly NewEvent[]): Id[] {
  return events.flatMap(({ targets }) => {
    const runs = targets.flatMap(({ type, id, parentId }) => {
      if (type === 'run') return [id];
      return type === 'job' && parentId !== null ? [parentId] : [];
    });
    return runs.length > 0 ? runs : [''];
  });
}

class Listener {
  readonly #options: Parameters<typeof postgresBus>[0];
  readonly #heard: (kind: string, id: string) => void;
  readonly #missed: () => void;
  #client: pg.Client | null = null;
  #processId: number | null = null;
  #retry: NodeJS.Timeout | null = null;
  #delay = FIRST_RETRY_MS;
  #closed = false;

  constructor(
    options: Parameters<typeof postgresBus>[0],
    heard: (kind: string, id: string) => void,
    missed: () => void,
  ) {
    this.#options = options;
    this.#heard = heard;
    this.#missed = missed;
  }

  async start(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#options.connectionString,
      application_name: LISTENER,
      ...CONNECTION,
    });
    client.on('notification', (message) => this.#hear(message));
    client.on('error', (error) => this.#lost(client, error));
    client.on('end', () => this.#lost(client, null));
    try {
      await client.connect();
      // Waits only while another server makes a schema that this one cannot work with.
      const lock = `select pg_advisory_lock_shared(${SCHEMA_LOCK}), pg_backend_pid() as pid`;
      const { rows } = await answered(client, ANSWER_MS, client.query(lock));
      this.#processId = rows[0]?.pid ?? null;
      // One may have done so before the lock was held.
      await newerMigrations(this.#options.db, this.#options.label);
      await answered(client, ANSWER_MS, client.query(`listen ${CHANNEL}`));
    } catch (error) {
      client.removeAllListeners('end');
      client.end().catch(() => {
        // It never connected; the first error is the decisive one.
      });
      throw error;
    }
    if (this.#closed) {
      await ended([client], ANSWER_MS, client.end());
      return;
    }
    this.#client = client;
    this.#delay = FIRST_RETRY_MS;
  }

  /** The id of the database process that serves the connection; null = there is none yet. */
  get processId(): number | null {
    return this.#processId;
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#retry) clearTimeout(this.#retry);
    const client = this.#client;
    this.#client = null;
    if (client) await ended([client], ANSWER_MS, client.end());
  }

  #hear(message: pg.Notification): void {
    if (this.#options.ownProcessIds.has(message.processId)) return;
    const payload = message.payload ?? '';
    const colon = payload.indexOf(':');
    if (colon < 1) return;
    this.#heard(payload.slice(0, colon), payload.slice(colon + 1));
  }

  #lost(client: pg.Client, error: Error | null): void {
    if (this.#client !== client) return;
    this.#client = null;
    if (this.#closed) return;
    this.#options.logger.warn({ err: error }, 'the connection for signals broke');
    client.end().catch(() => {
      // The connection is broken already.
    });
    this.#scheduleRetry();
  }

  #scheduleRetry(): void {
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.start().then(
        () => this.#missed(),
        (error) => {
          this.#options.logger.warn({ err: error }, 'cannot listen for signals yet');
          if (!this.#closed) this.#scheduleRetry();
        },
      );
    }, this.#delay);
    this.#delay = Math.min(this.#delay * 2, LAST_RETRY_MS);
  }
}
