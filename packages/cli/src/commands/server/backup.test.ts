import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { beforeAll, expect, it } from 'vitest';
import { type RunOptions, runCommand, withDirectory } from '../../testing/run-command.ts';

const schemas = new Ajv2020({ strict: false, validateFormats: false }).addSchema(
  JSON.parse(
    readFileSync(join(import.meta.dirname, '../../../../../docs/json-output.schema.json'), 'utf8'),
  ),
  'schemas',
);

function problemsOf(command: string, document: string): unknown {
  const validate = schemas.getSchema(`schemas#/$defs/${encodeURIComponent(command)}`);
  if (!validate) return `no schema of ${command}`;
  return validate(JSON.parse(document)) ? [] : validate.errors;
}

/** A folder of a server that does not run, whose database has these runs. */
interface Place {
  readonly dir: string;
  readonly file: string;
  /** The names of the runs in the database. */
  readonly runs: () => string[];
  readonly addRun: (name: string) => void;
  readonly run: (words: string, more?: RunOptions) => ReturnType<typeof runCommand>;
}

async function withServer(use: (place: Place) => Promise<void>): Promise<void> {
  await withDirectory(async (dir) => {
    const path = join(dir, 'server', 'data', 'dstack.db');
    mkdirSync(join(dir, 'server', 'data'), { recursive: true });
    writeFileSync(join(dir, 'server', 'config.yml'), 'encryption: {}\n');
    const query = <T>(work: (database: DatabaseSync) => T): T => {
      const database = new DatabaseSync(path);
      try {
        return work(database);
      } finally {
        database.close();
      }
    };
    query((database) => {
      database.exec('create table runs (id integer primary key, name text, submitted_at integer)');
      database.exec('create table server_meta (key text primary key, value text)');
    });
    const file = join(dir, 'backup.tar');
    await use({
      dir,
      file,
      runs: () =>
        query((database) => database.prepare('select name from runs').all()).map(({ name }) =>
          String(name),
        ),
      addRun: (name) =>
        query((database) =>
          database.prepare('insert into runs (name, submitted_at) values (?, 1)').run(name),
        ),
      run: (words, more) =>
        runCommand(['--color', 'never', 'server', ...words.split(' ')], {
          env: { DSTACK_SERVER_DIR: join(dir, 'server') },
          ...more,
        }),
    });
  });
}

// The first command loads the whole server from its sources.
beforeAll(() => withServer(async ({ file, run }) => void (await run(`backup ${file}`))));

it('a backup reports its steps apart from its result', () =>
  withServer(async ({ file, run }) => {
    const { code, out, err } = await run(`backup ${file}`);
    expect([code, out]).toEqual([
      0,
      `${file} has the database and config.yml, with their keys: keep it in a safe place.\n`,
    ]);
    expect(err.split('\n').slice(0, 4)).toEqual([
      'Copying the database…',
      'Checking the copy…',
      'Writing the file…',
      'Logs, uploaded files and the agent are not in it; they stay in their folders.',
    ]);
  }));

it('a backup replaces no file, and leaves none behind', () =>
  withServer(async ({ dir, file, run }) => {
    writeFileSync(file, 'mine');
    const { code, out, err } = await run(`backup ${file} --json`);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain(`${file} exists`);
    expect(err).toContain('name another file');
    expect(readFileSync(file, 'utf8')).toBe('mine');
    expect(readdirSync(dir).toSorted()).toEqual(['backup.tar', 'server']);
  }));

it('a backup needs a database of this server', () =>
  withServer(async ({ dir, file, run }) => {
    const missing = await run(`backup ${file}`, { env: { DSTACK_SERVER_DIR: join(dir, 'none') } });
    expect([missing.code, missing.err]).toEqual([
      1,
      expect.stringContaining('there is no database at'),
    ]);
    const postgres = await run(`backup ${file}`, {
      env: {
        DSTACK_SERVER_DIR: join(dir, 'server'),
        DSTACK_DATABASE_URL: 'postgres://x@127.0.0.1/x',
      },
    });
    expect([postgres.code, postgres.err]).toEqual([1, expect.stringContaining('pg_dump')]);
    expect(existsSync(file)).toBe(false);
  }));

it('backup and restore print one JSON document each', () =>
  withServer(async ({ file, run, addRun, runs }) => {
    addRun('old');
    const backup = await run(`backup ${file} --json`);
    expect(JSON.parse(backup.out)).toEqual({
      file,
      created_at: '2026-11-24T16:00:00.000Z',
      version: expect.any(String),
    });
    expect(problemsOf('server backup', backup.out)).toEqual([]);
    addRun('newer');
    const restore = await run(`restore ${file} -y --json`);
    expect(JSON.parse(restore.out)).toEqual({
      ...JSON.parse(backup.out),
      lost_runs: ['newer'],
      kept_files: [expect.stringMatching(/dstack\.db\.before-restore-/)],
    });
    expect(problemsOf('server restore', restore.out)).toEqual([]);
    expect(runs()).toEqual(['old']);
  }));

it('a restore names what is lost, and changes nothing before it is confirmed', () =>
  withServer(async ({ file, run, addRun, runs }) => {
    await run(`backup ${file}`);
    for (let number = 1; number <= 6; number += 1) addRun(`r${number}`);
    const declined = await run(`restore ${file}`, { terminal: 120, input: 'n\n' });
    expect(declined.code).not.toBe(0);
    expect(declined.err + declined.out).toMatch(
      /6 runs are newer and will be lost: r\d, r\d, r\d, r\d, r\d, …/,
    );
    expect(runs()).toHaveLength(6);
    const accepted = await run(`restore ${file}`, { terminal: 120, input: 'y\n' });
    expect(accepted.code).toBe(0);
    expect(accepted.out).toBe('The database is restored; start the server.\n');
    expect(accepted.err).toContain('The files before are kept: ');
    expect(runs()).toEqual([]);
  }));

it('a restore refuses other files than backups', () =>
  withServer(async ({ file, run, addRun, runs }) => {
    addRun('mine');
    const missing = await run(`restore ${file} -y`);
    expect([missing.code, missing.err]).toEqual([1, expect.stringContaining('does not exist')]);
    writeFileSync(file, 'not a backup');
    const wrong = await run(`restore ${file} -y`);
    expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('is not a backup of')]);
    expect(runs()).toEqual(['mine']);
  }));
