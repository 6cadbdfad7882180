/** A private PostgreSQL server from the distribution's packages, for the duration of a suite. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { memoryFolder } from './memory-folder.ts';

/** The directory in which Debian installs the servers of each major version. */
const DEBIAN_VERSIONS = '/usr/lib/postgresql';

/** The first version with ICU order for a whole cluster and with file copies as a strategy. */
const OLDEST_VERSION = 15;

const START_LIMIT_MS = 30_000;

export interface PostgresCluster {
  /** Creates a database (a copy of the template, if there is one) and returns its URL. */
  createDatabase(template?: string): Promise<{ readonly name: string; readonly url: string }>;
  /** Runs one statement as superuser, and returns its rows. */
  query(sql: string, database?: string): Promise<readonly Record<string, unknown>[]>;
  /** Kills the server with SIGKILL, and starts it again on the same files. */
  crash(): Promise<void>;
  /** Ends the server at once and removes its files. */
  stop(): Promise<void>;
}

/**
 * Directory with `initdb` and `postgres` of the newest installed version; null if there is none.
 */
export function postgresBinaries(): string | null {
  if (!existsSync(DEBIAN_VERSIONS)) return null;
  const newest = readdirSync(DEBIAN_VERSIONS)
    .map(Number)
    .filter((version) => version >= OLDEST_VERSION)
    .filter((version) => existsSync(join(DEBIAN_VERSIONS, String(version), 'bin', 'postgres')))
    .sort((a, b) => b - a)[0];
  return newest === undefined ? null : join(DEBIAN_VERSIONS, String(newest), 'bin');
}

/**
 * Starts a server that listens only on a unix socket in a short private directory, so that no port
 * can clash; its files are in memory where there is room. It orders text by ICU rules, as many
 * installations do, so that a query which depends on byte order fails. `settings` (`name=value`) win over
 * those for tests, which switch off what makes a database durable and tidy.
 */
export async function startPostgres(
  binaries: string,
  settings: readonly string[] = [],
): Promise<PostgresCluster> {
  const directory = mkdtempSync(join(memoryFolder(), 'pg-'));
  const data = join(directory, 'data');
  const asUser = unprivileged(directory);
  const initdb = asUser(join(binaries, 'initdb'), [
    ...['--pgdata', data, '--username', 'postgres', '--auth', 'trust', '--no-sync'],
    ...['--encoding', 'UTF8', '--locale', 'C.UTF-8'],
    ...['--locale-provider', 'icu', '--icu-locale', 'en-US'],
  ]);
  execFileSync(initdb.program, initdb.args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const start = asUser(join(binaries, 'postgres'), [
    ...['-D', data, '-k', directory],
    ...['-c', 'listen_addresses=', '-c', 'max_connections=200'],
    ...['-c', 'fsync=off', '-c', 'full_page_writes=off', '-c', 'autovacuum=off'],
    ...settings.flatMap((setting) => ['-c', setting]),
  ]);
  const started = async () => {
    const server = spawn(start.program, start.args, { stdio: ['ignore', 'ignore', 'pipe'] });
    await untilReady(server);
    return server;
  };
  return createCluster(started, await started(), directory);
}

interface Invocation {
  readonly program: string;
  readonly args: readonly string[];
}

/**
 * PostgreSQL refuses to run as root, so it runs as the user of its package and ends with this
 * process.
 */
function unprivileged(directory: string): (program: string, args: readonly string[]) => Invocation {
  if (process.getuid?.() !== 0) return (program, args) => ({ program, args });
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  const uid = id('-u');
  const gid = id('-g');
  chownSync(directory, uid, gid);
  return (program, args) => ({
    program: 'setpriv',
    args: [
      ...[`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--pdeathsig=KILL'],
      ...['--', program, ...args],
    ],
  });
}

async function untilReady(server: ChildProcess): Promise<void> {
  let log = '';
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`PostgreSQL ${why}:\n${log}`));
    const timer = setTimeout(() => fail('did not become ready'), START_LIMIT_MS);
    server.once('exit', (code) => fail(`ended with ${code}`));
    server.once('error', (error) => fail(`could not be started (${error.message})`));
    server.stderr?.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      if (!log.includes('database system is ready to accept connections')) return;
      clearTimeout(timer);
      server.removeAllListeners('exit');
      resolve();
    });
  });
  server.stderr?.removeAllListeners('data');
  server.stderr?.resume();
}

/** Processes of connections outlive the one that was killed by a moment, in which no other can start. */
async function startedAfterCrash(started: () => Promise<ChildProcess>): Promise<ChildProcess> {
  for (const until = Date.now() + START_LIMIT_MS; ; await delay(100)) {
    try {
      return await started();
    } catch (error) {
      if (Date.now() > until) throw error;
    }
  }
}

function createCluster(
  started: () => Promise<ChildProcess>,
  first: ChildProcess,
  directory: string,
): PostgresCluster {
  let server = first;
  const urlOf = (database: string) =>
    `postgres://postgres@localhost/${database}?host=${encodeURIComponent(directory)}`;
  let databases = 0;

  const query: PostgresCluster['query'] = async (sql, database = 'postgres') => {
    const client = new pg.Client({ connectionString: urlOf(database) });
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  };

  return {
    query,
    async createDatabase(template) {
      const name = `test_${++databases}`;
      await query(
        `create database ${name}${template ? ` template ${template} strategy file_copy` : ''}`,
      );
      return { name, url: urlOf(name) };
    },
    async crash() {
      const ended = once(server, 'exit');
      server.kill('SIGKILL');
      await ended;
      server = await startedAfterCrash(started);
    },
    async stop() {
      if (server.exitCode === null && server.signalCode === null) {
        const ended = once(server, 'exit');
        server.kill('SIGQUIT');
        await ended;
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
