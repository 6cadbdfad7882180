import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { parseDatabaseUrl } from './connection/url.ts';
import { ADVISORY_LOCK } from './migrations/migrate.ts';
import { openStore } from './open-store.ts';
import { rawSql } from './testing/raw-sql.ts';
import { newEvent } from './testing/records.ts';
import { storeOptions } from './testing/store-options.ts';
import { forEachStore, openWorld } from './testing/stores.ts';

forEachStore((tests) => {
  it('makes the schema in an empty database and finds it again', async () => {
    const url = await tests.createEmptyDatabase();
    const first = await tests.open({ url });
    const id = await first.meta.serverId();
    await first.close();
    const second = await tests.open({ url });
    expect(await second.meta.serverId()).toBe(id);
    expect([second.dialect, second.shared]).toEqual([tests.dialect, tests.dialect === 'postgres']);
  });

  it('refuses a database that a newer version has written', async () => {
    const url = await tests.createDatabase();
    await rawSql(
      url,
      `insert into dstack_migrations (number, name, applied_at) values (999, 'future', 0)`,
    );
    await expect(openStore(storeOptions(url))).rejects.toMatchObject({
      code: 'store_newer_version',
      message: expect.stringContaining('schema 999, "future"'),
    });
  });

  it('goes on reading when a newer server has added columns', async () => {
    const { store, url, userId, projectId } = await openWorld(tests);
    const read = async () => {
      const user = await store.users.byId(userId);
      const access = await store.projects.access('main', userId);
      const runs = await store.runs.list({ projectIds: [projectId], includeJobs: true });
      return { user, access, runs };
    };
    const before = await read();
    for (let i = 0; i < 10; i++) await read();
    for (const table of ['users', 'projects', 'runs', 'jobs']) {
      await rawSql(url, `alter table ${table} add column newer text`);
    }
    expect(await read()).toEqual(before);
  });

  it('refuses the database of a Python server and leaves it as it was', async () => {
    const url = await tests.createEmptyDatabase();
    await rawSql(url, 'create table alembic_version (version_num text)');
    await expect(openStore(storeOptions(url))).rejects.toMatchObject({
      code: 'store_foreign_database',
      message: expect.stringContaining('Python dstack server'),
      fix: expect.stringContaining('DSTACK_DATABASE_URL'),
    });
    await expect(rawSql(url, 'select * from dstack_migrations')).rejects.toThrow();
  });

  it("refuses another program's database", async () => {
    const url = await tests.createEmptyDatabase();
    await rawSql(url, 'create table projects (name text)');
    await expect(openStore(storeOptions(url))).rejects.toMatchObject({
      code: 'store_foreign_database',
      message: expect.stringContaining('another program (projects)'),
    });
  });

  it('does not store events when they are switched off', async () => {
    const store = await tests.open({ storeEvents: false });
    await store.events.write([newEvent('unseen')]);
    expect(await store.events.list({ visibleTo: null })).toEqual([]);
  });

  if (tests.dialect === 'postgres') {
    it('waits for the migrations of another server longer than a statement may take', async () => {
      const url = await tests.createEmptyDatabase();
      const other = new pg.Client(url);
      await other.connect();
      await other.query(`select pg_advisory_lock(${ADVISORY_LOCK})`);
      const opening = tests.open({ url, commandTimeoutMs: 100 });
      const waitedLonger = `select 1 from pg_stat_activity
        where wait_event = 'advisory' and now() - query_start > interval '200 ms'`;
      while ((await other.query(waitedLonger)).rowCount === 0);
      await other.end();
      expect((await opening).dialect).toBe('postgres');
    });
  }

  if (tests.dialect === 'sqlite') describe('one server per file', () => alone(tests));
});

function alone(tests: Parameters<Parameters<typeof forEachStore>[0]>[0]): void {
  let child: ChildProcess | null = null;
  afterEach(async () => {
    if (child && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
  });

  it('refuses a second server and names the first', async () => {
    const url = await tests.createDatabase();
    const store = await tests.open({ url });
    await expect(openStore(storeOptions(url))).rejects.toMatchObject({
      code: 'store_locked',
      message: expect.stringContaining(`process ${process.pid}, started 2`),
    });
    await store.close();
    await tests.open({ url });
  });

  it('is refused by a server in another process, and takes over when that was killed', async () => {
    const url = await tests.createDatabase();
    const program = fileURLToPath(new URL('./testing/holder.ts', import.meta.url));
    child = spawn(process.execPath, [program, url], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout!, 'data');
    await expect(openStore(storeOptions(url))).rejects.toMatchObject({
      code: 'store_locked',
      message: expect.stringContaining(`process ${child.pid}`),
    });
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    const store = await tests.open({ url });
    expect(await store.meta.get('held')).toBe('yes');
  });

  it('keeps the file readable by its owner only, and syncs every commit', async () => {
    const url = await tests.createDatabase();
    await tests.open({ url });
    const parsed = parseDatabaseUrl(url);
    if (parsed.dialect !== 'sqlite') throw new Error(url);
    expect(statSync(parsed.path).mode & 0o777).toBe(0o600);
    expect(existsSync(`${parsed.path}-wal`)).toBe(true);
    expect(JSON.parse(readFileSync(`${parsed.path}.pid`, 'utf8'))).toMatchObject({
      pid: process.pid,
    });
  });
}

describe('a database that cannot be reached', () => {
  it('is named without its password', async () => {
    const url = 'postgres://me:secret@127.0.0.1:1/db';
    const failure = await openStore(storeOptions(url)).catch((error) => error);
    expect(failure.code).toBe('store_unreachable');
    expect(failure.message).toContain('127.0.0.1:1/db');
    expect(failure.message).not.toContain('secret');
  });

  it.each(['/dev/null/x.db', '/proc/no-such-folder/inner/x.db'])(
    'names the file %s, whose directory cannot be made',
    async (path) => {
      const failure = await openStore(storeOptions(`sqlite:///${path}`)).catch((e) => e);
      expect(failure).toMatchObject({ code: 'store_unreachable' });
      expect(failure.message).toContain(path);
    },
  );
});
