import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { sql } from 'kysely';
import pg from 'pg';
import { describe, expect, it, vi } from 'vitest';
import { MIGRATION_LIMITS } from '../connection/limits.ts';
import { openPostgres } from '../connection/postgres.ts';
import { openSqlite } from '../connection/sqlite.ts';
import { parseDatabaseUrl } from '../connection/url.ts';
import { openStore } from '../open-store.ts';
import { rawSql } from '../testing/raw-sql.ts';
import { storeOptions } from '../testing/store-options.ts';
import { forEachStore, openWorld } from '../testing/stores.ts';
import type { Migration } from './ddl.ts';
import { MIGRATIONS } from './index.ts';
import { type Migrated, migrate } from './migrate.ts';

const colors: Migration = {
  name: 'colors',
  isAdditive: true,
  up: async (c) => void (await sql`alter table users add column color text`.execute(c.db)),
};
const shapes: Migration = {
  name: 'shapes',
  up: async (c) => void (await sql`alter table users add column shape text`.execute(c.db)),
};

/** A newer server in the middle of a migration: `users` is changed, and `projects` is in use by another program. */
const STUCK = `
import { sql } from 'kysely';
import { openPostgres } from '${import.meta.dirname}/../connection/postgres.ts';
import { MIGRATION_LIMITS } from '${import.meta.dirname}/../connection/limits.ts';
import { MIGRATIONS } from '${import.meta.dirname}/index.ts';
import { migrate } from '${import.meta.dirname}/migrate.ts';
const up = (table) => async (c) => sql\`alter table \${sql.table(table)} add column color text\`.execute(c.db);
const later = ['users', 'projects'].map((name) => ({ name, isAdditive: true, up: up(name) }));
const logger = { warn: () => {}, error: () => {}, info: () => {}, debug: () => {} };
const connection = { connectionString: process.argv[1], limits: MIGRATION_LIMITS, logger };
const { db } = openPostgres({ ...connection, poolSize: 1, maxOverflow: 0 });
const migrations = [...MIGRATIONS, ...later];
await migrate({ db, migrations, now: () => 0, label: 'the test', postgres: true });
`;

/** Acts like a program with these migrations at its start. */
async function start(url: string, migrations: readonly Migration[]): Promise<Migrated> {
  const parsed = parseDatabaseUrl(url);
  const { db, close } =
    parsed.dialect === 'sqlite'
      ? openSqlite(parsed.path, () => 0)
      : openPostgres({
          ...{ connectionString: parsed.connectionString, limits: MIGRATION_LIMITS },
          ...{ poolSize: 1, maxOverflow: 0, logger: storeOptions(url).logger },
        });
  try {
    return await migrate({
      ...{ db, migrations, now: () => 0, label: 'the test', endingServersMs: 0 },
      postgres: parsed.dialect === 'postgres',
    });
  } finally {
    await close();
  }
}

forEachStore((tests) => {
  it('works with a database to which a newer version has only added something', async () => {
    const { store, url, userId } = await openWorld(tests);
    await store.close();
    expect((await start(url, [...MIGRATIONS, colors])).applied).toEqual(['colors']);
    expect(await start(url, MIGRATIONS)).toEqual({
      applied: [],
      created: false,
      newer: ['colors'],
    });
    const older = await tests.open({ url });
    expect((await older.users.byId(userId))?.name).toBe('alice');
    await older.close();
    expect(await start(url, [...MIGRATIONS, colors])).toEqual({
      applied: [],
      created: false,
      newer: [],
    });
  });

  it('refuses a database that a newer version has changed besides', async () => {
    const url = await tests.createDatabase();
    await start(url, [...MIGRATIONS, shapes, colors]);
    await expect(openStore(storeOptions(url))).rejects.toMatchObject({
      code: 'store_newer_version',
      message: expect.stringContaining(`schema ${MIGRATIONS.length + 1}, "shapes"`),
    });
  });

  it('marks additive migrations in a ledger of a version that did not', async () => {
    const url = await tests.createDatabase();
    await rawSql(url, 'alter table dstack_migrations drop column additive');
    expect((await start(url, [...MIGRATIONS, colors])).applied).toEqual(['colors']);
    expect((await start(url, MIGRATIONS)).newer).toEqual(['colors']);
  });

  if (tests.dialect !== 'postgres') return;

  describe('while servers of the version before run', () => {
    it('makes an additive migration, and they go on', async () => {
      const { store, url, userId } = await openWorld(tests);
      expect((await start(url, [...MIGRATIONS, colors])).applied).toEqual(['colors']);
      expect((await store.users.byId(userId))?.name).toBe('alice');
    });

    it('holds them up no longer when it is killed in the middle of a migration', async () => {
      const { store, url, userId } = await openWorld(tests);
      const another = new pg.Client({ connectionString: connectionOf(url) });
      await another.connect();
      try {
        await another.query('begin; lock table projects in access share mode');
        const arguments_ = ['--input-type=module', '-e', STUCK, connectionOf(url)];
        const newer = spawn(process.execPath, arguments_, {
          cwd: import.meta.dirname,
          stdio: ['ignore', 'ignore', 'inherit'],
        });
        const waiting = `select 1 from pg_locks where not granted and relation = 'projects'::regclass`;
        await vi.waitFor(async () => expect(await rawSql(url, waiting)).toHaveLength(1), {
          timeout: 15_000,
          interval: 50,
        });
        newer.kill('SIGKILL');
        await once(newer, 'exit');
        expect((await store.users.byId(userId))?.name).toBe('alice');
      } finally {
        await another.end();
      }
      expect((await start(url, [...MIGRATIONS, colors])).applied).toEqual(['colors']);
    });

    it('makes no other migration until they have ended', async () => {
      const { store, url, userId } = await openWorld(tests);
      const second = await tests.open({ url });
      const newer = () => start(url, [...MIGRATIONS, colors, shapes]);
      const refusal = { code: 'store_older_servers', fix: expect.stringContaining('Recreate') };
      await expect(newer()).rejects.toMatchObject(refusal);
      await second.close();
      await expect(newer()).rejects.toMatchObject(refusal);
      expect((await store.users.byId(userId))?.name).toBe('alice');
      await store.close();
      expect((await newer()).applied).toEqual(['colors', 'shapes']);
    });
  });
});

function connectionOf(url: string): string {
  const parsed = parseDatabaseUrl(url);
  if (parsed.dialect === 'sqlite') throw new Error('not for SQLite');
  return parsed.connectionString;
}
