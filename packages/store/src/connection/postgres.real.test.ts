import type { Signal } from '@dstack/core';
import { type PostgresCluster, postgresBinaries, startPostgres } from '@dstack/testkit';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { StoreLogger } from '../base/logger.ts';
import { createTransactions } from '../context/transactions.ts';
import { type Relay, startRelay } from '../testing/relay.ts';
import { localBus } from './bus.ts';
import { DatabaseAwayError } from './database-away.ts';
import { type PostgresLimits, postgresLimits } from './limits.ts';
import { openPostgres, type PostgresConnection } from './postgres.ts';

const binaries = postgresBinaries();
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** A log, and when it reports that a connection broke. */
function listeningLog() {
  const { promise: broke, resolve } = Promise.withResolvers<void>();
  return { broke, logger: { ...silent, warn: () => resolve() } };
}

/** Only the limit under test may end what a test does. */
const NONE: PostgresLimits = { statement: 0, lock: 0, idleInTransaction: 0, answer: 0, close: 0 };

const SLEEPS = "query like 'select pg_sleep%' and state = 'active'";

async function sleepers(cluster: PostgresCluster): Promise<number> {
  return (await cluster.query(`select 1 from pg_stat_activity where ${SLEEPS}`)).length;
}

describe.skipIf(binaries === null)('a connection to PostgreSQL', () => {
  let cluster: PostgresCluster;
  let relay: Relay;
  let connection: PostgresConnection | null = null;
  let url = '';

  beforeAll(async () => {
    cluster = await startPostgres(binaries ?? '');
  });
  afterAll(() => cluster?.stop());

  beforeEach(async () => {
    url = (await cluster.createDatabase()).url;
    relay = await startRelay(url);
  });
  afterEach(async () => {
    await relay.close();
    await connection?.close();
    connection = null;
  });

  /** With one connection at a time: the next query uses every connection that was not given up. */
  function open(limits: Partial<PostgresLimits>, logger: StoreLogger = silent): PostgresConnection {
    connection = openPostgres({
      connectionString: relay.url,
      poolSize: 1,
      maxOverflow: 0,
      limits: { ...NONE, ...limits },
      logger,
    });
    return connection;
  }

  async function processId(db: PostgresConnection['db']): Promise<number> {
    const { rows } = await sql<{ id: number }>`select pg_backend_pid() as id`.execute(db);
    return rows[0]?.id ?? 0;
  }

  it('is given up when a query gets no answer, and the next query has another', async () => {
    const { db } = open({ answer: 1000 });
    const first = await processId(db);
    relay.freeze();
    await expect(processId(db)).rejects.toThrow('gave no answer within 1 s');
    expect(await processId(db)).not.toBe(first);
  });

  it('is given up in the middle of a transaction, with the reason', async () => {
    const { db } = open({ answer: 1000 });
    let first = 0;
    const transaction = db.transaction().execute(async (tx) => {
      first = await processId(tx);
      relay.freeze();
      await processId(tx);
    });
    await expect(transaction).rejects.toThrow('gave no answer within 1 s');
    expect(await processId(db)).not.toBe(first);
  });

  it('breaks between two queries of a transaction without harm to anything else', async () => {
    const { broke, logger } = listeningLog();
    const { db } = open({}, logger);
    const transaction = db.transaction().execute(async (tx) => {
      await processId(tx);
      relay.cut();
      await broke;
      await processId(tx);
    });
    await expect(transaction).rejects.toThrow('Connection terminated unexpectedly');
    expect(await processId(db)).toBeGreaterThan(0);
  });

  it('breaks before the answer to a commit: the changes are signalled, since they may be stored', async () => {
    const { db } = open({});
    await sql`create table things (id int)`.execute(db);
    const bus = localBus(silent);
    const received: Signal[] = [];
    bus.subscribe(
      (signal) => received.push(signal),
      () => {},
    );
    const { write } = createTransactions({
      ...{ db, bus, postgres: true },
      recordEvents: async () => [],
      eventsWritten: () => {},
    });
    const insert = (id: number) =>
      write(async ({ tx, add }) => {
        await sql`insert into things values (${id})`.execute(tx);
        add({ signals: [{ kind: 'run', id: `${id}` }] });
      });
    relay.loseAnswerTo('commit');
    await expect(insert(1)).rejects.toThrow('Connection terminated unexpectedly');
    expect((await sql`select id from things`.execute(db)).rows).toEqual([{ id: 1 }]);
    expect(received).toEqual([{ kind: 'run', id: '1' }]);
    relay.loseAnswerTo('insert');
    await expect(insert(2)).rejects.toThrow('Connection terminated unexpectedly');
    expect(received).toEqual([{ kind: 'run', id: '1' }]);
  });

  it('is away when it breaks or cannot be made, and not when a statement is wrong', async () => {
    const { db } = open({});
    await expect(sql`select nothing`.execute(db)).rejects.not.toBeInstanceOf(DatabaseAwayError);
    const sleep = sql`select pg_sleep(60)`.execute(db);
    const broken = expect(sleep).rejects.toBeInstanceOf(DatabaseAwayError);
    await expect.poll(() => sleepers(cluster)).toBe(1);
    relay.cut();
    await broken;
    await relay.close();
    await expect(processId(db)).rejects.toBeInstanceOf(DatabaseAwayError);
  });

  it('is away when PostgreSQL ends it', async () => {
    const { db } = open({});
    const sleep = sql`select pg_sleep(61)`.execute(db);
    const ended = expect(sleep).rejects.toMatchObject({ name: 'DatabaseAwayError', code: '57P01' });
    await expect.poll(() => sleepers(cluster)).toBe(1);
    await cluster.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${SLEEPS}`);
    await ended;
  });

  it('is closed though the server has vanished', async () => {
    const { db, close } = open({ close: 50 });
    await processId(db);
    relay.freeze();
    await close();
    connection = null;
  });

  it('ends a statement that takes too long, and goes on with the next', async () => {
    const { db } = open({ statement: 50 });
    const sleep = sql`select pg_sleep(600)`.execute(db);
    await expect(sleep).rejects.toMatchObject({ code: '57014' });
    expect(await processId(db)).toBeGreaterThan(0);
  });

  it('does not wait for ever for a row that another transaction holds', async () => {
    const { db } = open({ lock: 50 });
    const holder = new pg.Client(url);
    await holder.connect();
    try {
      await holder.query('create table things (id int)');
      await holder.query('begin; lock table things');
      const blocked = sql`select * from things`.execute(db);
      await expect(blocked).rejects.toMatchObject({ code: '55P03' });
    } finally {
      await holder.end();
    }
  });

  it('loses an idle transaction, and with it its locks', async () => {
    const { broke, logger } = listeningLog();
    const { db } = open({ idleInTransaction: 50 }, logger);
    const transaction = db.transaction().execute(async (tx) => {
      await processId(tx);
      await broke;
      await processId(tx);
    });
    await expect(transaction).rejects.toThrow('idle-in-transaction timeout');
    expect(await processId(db)).toBeGreaterThan(0);
  });
});

describe('the limits of a connection', () => {
  it('leave the server time to report by itself that a statement took too long', () => {
    const limits = postgresLimits(60_000);
    expect(limits.statement).toBe(60_000);
    expect(limits.answer).toBeGreaterThan(limits.statement);
    expect(limits.lock).toBeLessThanOrEqual(limits.statement);
  });

  it('let statements take any time where they are switched off, except for locks and idling', () => {
    const { statement, answer, lock, idleInTransaction } = postgresLimits(0);
    expect([statement, answer]).toEqual([0, 0]);
    expect(Math.min(lock, idleInTransaction)).toBeGreaterThan(0);
  });

  it('never wait longer for a lock than a statement may take', () => {
    expect(postgresLimits(2000).lock).toBe(2000);
  });
});
