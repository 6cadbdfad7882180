/** Suites that run on every database that the server supports. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PostgresCluster, postgresBinaries, startPostgres } from './postgres.ts';

/**
 * The functions of Vitest that declare a suite. Passed in, because programs outside Vitest import
 * this package too.
 */
export interface SuiteRunner {
  readonly describe: typeof import('vitest').describe;
  readonly beforeAll: typeof import('vitest').beforeAll;
  readonly afterAll: typeof import('vitest').afterAll;
}

export interface TestDatabases {
  readonly dialect: 'sqlite' | 'postgres';
  /** Creates a database prepared by `prepare` and returns its URL. */
  create(): Promise<string>;
  /** Creates an empty database. */
  createEmpty(): Promise<string>;
}

/**
 * Declares the suite once per database. `prepare` migrates an empty database and closes it; it runs
 * once, and each test gets a copy of that database. Without PostgreSQL its half is skipped with a
 * warning; on CI (`CI` is set) it fails.
 */
export function forEachDatabase(
  runner: SuiteRunner,
  prepare: (url: string) => Promise<void>,
  suite: (databases: TestDatabases) => void,
): void {
  const { describe } = runner;
  describe('on SQLite', () => {
    suite(sqliteDatabases(runner, prepare));
  });
  const binaries = postgresBinaries();
  if (binaries === null) warnWithoutPostgres();
  describe.skipIf(binaries === null)('on PostgreSQL', () => {
    suite(postgresDatabases(runner, binaries ?? '', prepare));
  });
}

function warnWithoutPostgres(): void {
  const message = 'PostgreSQL is not installed (Debian: apt-get install postgresql)';
  if (process.env.CI) throw new Error(`${message}; on CI its tests must run.`);
  console.warn(`\n!!! ${message}: ALL TESTS ON POSTGRESQL ARE SKIPPED !!!\n`);
}

function sqliteDatabases(
  { beforeAll, afterAll }: SuiteRunner,
  prepare: (url: string) => Promise<void>,
): TestDatabases {
  let directory = '';
  let databases = 0;
  let template: Promise<string> | null = null;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'sqlite-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const newPath = () => join(directory, `${++databases}.db`);
  const urlOf = (path: string) => `sqlite:///${path}`;
  async function prepared(): Promise<string> {
    const path = newPath();
    await prepare(urlOf(path));
    return path;
  }
  return {
    dialect: 'sqlite',
    createEmpty: async () => urlOf(newPath()),
    async create() {
      template ??= prepared();
      const path = newPath();
      copyFileSync(await template, path);
      return urlOf(path);
    },
  };
}

function postgresDatabases(
  { beforeAll, afterAll }: SuiteRunner,
  binaries: string,
  prepare: (url: string) => Promise<void>,
): TestDatabases {
  let cluster: PostgresCluster | null = null;
  let template = '';
  beforeAll(async () => {
    cluster = await startPostgres(binaries);
    const { name, url } = await cluster.createDatabase();
    await prepare(url);
    template = name;
  });
  afterAll(() => cluster?.stop());

  async function create(from?: string): Promise<string> {
    if (!cluster) throw new Error('the PostgreSQL server is not running');
    return (await cluster.createDatabase(from)).url;
  }

  return { dialect: 'postgres', create: () => create(template), createEmpty: () => create() };
}
