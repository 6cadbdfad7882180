/**
 * A year at 1 000 runs a day by a simulated clock, with default settings: what is stored at the end of each
 * month, what deletion costs, and how long its longest step is. Births continue for two months after the
 * first runs are a year old, when nothing may grow any more; then they stop, and everything must go.
 * Beside it the same births without retention. `retention-year:postgres` does it on PostgreSQL,
 * `retention-year:sqlite,90` stops the births after 90 days, `retention-year:sqlite,425,100` makes 100 runs a day.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openStore, RETENTION_RULES, type Store } from '@dstack/store';
import { memoryFolder, postgresBinaries, startPostgres } from '@dstack/testkit';

import { pino } from 'pino';
import { fileBlobs } from '../packages/server/src/blobs/file-blobs.ts';
import { createCipher } from '../packages/server/src/config/cipher.ts';
import { FileLogStore } from '../packages/server/src/logs/file/file-log-store.ts';
import type { LogStore } from '../packages/server/src/logs/log-store.ts';
import { TableLogStore } from '../packages/server/src/logs/tables/table-log-store.ts';
import { retentionSettings } from '../packages/server/src/retention/retention-settings.ts';
import { RetentionRounds } from '../packages/server/src/retention/rounds.ts';
import { retentionSteps } from '../packages/server/src/retention/steps.ts';
import { StrayLogs } from '../packages/server/src/retention/stray-logs.ts';
import { print } from './measure.ts';
import { Births, DAY, makeTemplate, type Template } from './year/births.ts';
import { postgresDatabase, sqliteDatabase, type YearDatabase } from './year/year-database.ts';

const RUNS_A_DAY = 1000;
const MONTH = 30;
/** Two months more than the longest period of what runs leave behind. */
const BIRTHS = 365 + 2 * MONTH;
/** A run's upload goes 90 days after the run; records of machines a year after their deletion. */
const REST = 365 + 90 + 10;
/** Retention has one round a minute, also when there is no work. */
const ROUNDS_A_DAY = 1440;
/** Files are young by the computer's clock, so the simulated one begins there. */
const START = Math.floor((Date.now() * 1000) / DAY) * DAY;

const log = pino({ level: 'warn' });

export async function retentionYear(argument = 'sqlite'): Promise<void> {
  const [kind = 'sqlite', days = String(BIRTHS), runs = String(RUNS_A_DAY)] = argument.split(',');
  const of = { kind, days: Number(days), runsADay: Number(runs) };
  for (const isKept of [true, false]) await measure(of, isKept);
}

interface Place {
  readonly url: string;
  readonly dir: string;
  open(): Promise<YearDatabase>;
  close(): Promise<void>;
}

async function place(kind: string): Promise<Place> {
  const dir = mkdtempSync(join(memoryFolder(), 'bench-year-'));
  const remove = () => rmSync(dir, { recursive: true, force: true });
  if (kind !== 'postgres') {
    const path = join(dir, 'dstack.db');
    const open = async () => sqliteDatabase(path);
    return { url: `sqlite:///${path}`, dir, open, close: async () => remove() };
  }
  const binaries = postgresBinaries();
  if (binaries === null) throw new Error('PostgreSQL is not installed');
  const cluster = await startPostgres(binaries);
  await cluster.query('alter system set autovacuum = on');
  await cluster.query('select pg_reload_conf()');
  const { url } = await cluster.createDatabase();
  const open = () => postgresDatabase(url);
  return {
    ...{ url, dir, open },
    async close() {
      await cluster.stop();
      remove();
    },
  };
}

interface Wanted {
  readonly kind: string;
  readonly days: number;
  readonly runsADay: number;
}

async function measure({ kind, days, runsADay }: Wanted, isKept: boolean): Promise<void> {
  const at = await place(kind);
  const template = await insertTemplate(at);
  let now = START;
  const store = await openStore(options(at.url, () => now));
  const database = await at.open();
  const title = `retention-year ${kind}, ${runsADay} runs a day${isKept ? '' : ' without retention'}`;
  const year = new Year(title, at.dir, {
    ...{ store, database, now: () => now, writesFiles: isKept, runsADay, template },
  });
  try {
    await year.begin();
    for (let day = 1; day <= days + (isKept ? REST : 0); day++) {
      if (day <= days) await year.births(now);
      now = START + day * DAY;
      if (isKept) await year.day();
      if (day % MONTH === 0 || day === days) await year.month(day, isKept);
    }
    if (isKept) await year.end();
  } finally {
    await year.close();
    await database.close();
    await store.close();
    await at.close();
  }
}

const options = (url: string, now: () => number) => ({
  ...{ url, now, newId: randomUUID, logger: log, cipher: createCipher([]) },
});

/** By a store of its own, because the times of events only rise. */
async function insertTemplate({ url, dir }: Place): Promise<Template> {
  const time = START + 10 * 365 * DAY;
  const store = await openStore(options(url, () => time));
  const logs = openLogs(store, join(dir, 'logs'), () => time);
  const template = await makeTemplate(store, logs, time);
  await logs.close();
  await store.close();
  return template;
}

function openLogs(store: Store, root: string, now: () => number): LogStore {
  const common = { now, quotaPerHour: 0, onQuota: () => {}, onSyncError: () => {} };
  return store.shared
    ? new TableLogStore({ ...common, ...store.logs })
    : new FileLogStore({ ...common, root });
}

interface YearParts {
  readonly store: Store;
  readonly database: YearDatabase;
  readonly now: () => number;
  readonly writesFiles: boolean;
  readonly runsADay: number;
  readonly template: Template;
}

class Year {
  readonly #title: string;
  readonly #parts: YearParts;
  readonly #folders: { readonly logs: string; readonly blobs: string };
  readonly #logs: LogStore;
  readonly #births: Births;
  readonly #rounds: RetentionRounds;
  #longest = { name: '', ms: 0 };
  #cpu = { days: 0, us: 0 };

  constructor(title: string, dir: string, parts: YearParts) {
    const { store, database, now, writesFiles, runsADay, template } = parts;
    this.#title = title;
    this.#parts = parts;
    this.#folders = { logs: join(dir, 'logs'), blobs: join(dir, 'blobs') };
    this.#logs = openLogs(store, this.#folders.logs, now);
    const folders = database.postgres ? { logs: null, blobs: null } : this.#folders;
    const places = { ...folders, writesFiles, runsADay };
    this.#births = new Births(store, database, places, template);
    const policy = retentionSettings({});
    const { retention } = store;
    const root = places.logs;
    const strays = new StrayLogs({ retention, logs: this.#logs, root });
    const blobs = places.blobs === null ? store.files.blobs : fileBlobs(places.blobs);
    this.#rounds = new RetentionRounds({
      ...{ store, log, events: policy.events, owner: 'bench', now, restFactor: 0 },
      steps: retentionSteps({ store, logs: this.#logs, blobs, strays, policy, log }),
      onStep: (name, ms) => {
        if (ms > this.#longest.ms) this.#longest = { name, ms };
      },
    });
  }

  async begin(): Promise<void> {
    await this.#births.begin();
  }

  births(at: number): Promise<void> {
    return this.#births.day(at);
  }

  /** The rounds of a day at once: those of which each but one has found nothing are not made. */
  async day(): Promise<void> {
    await this.#round();
    this.#cpu.days += 1;
  }

  async #round(): Promise<void> {
    const { store, now } = this.#parts;
    await store.meta.set('retention', JSON.stringify({ at: now(), deletesFrom: 0 }));
    const before = process.cpuUsage();
    await this.#rounds.clean();
    const { user, system } = process.cpuUsage(before);
    this.#cpu.us += user + system;
  }

  async month(day: number, isKept: boolean): Promise<void> {
    const name = `${this.#title}: day ${day}`;
    const rows = await this.rows();
    print({ name, unit: 'rows', ...rows });
    print({ name, unit: 'MB', database: await this.#databaseMb(), ...this.#folderSizes(day) });
    if (!isKept) return;
    const { days, us } = this.#cpu;
    this.#cpu = { days: 0, us: 0 };
    await this.#round();
    const idle = this.#cpu.us;
    this.#cpu.us = 0;
    print({
      ...{ name, unit: 'ms of CPU a day', deletion: Math.round(us / 1000 / Math.max(1, days)) },
      'rounds without work': Math.round((idle / 1000) * ROUNDS_A_DAY),
    });
    print({
      name,
      unit: 'ms',
      'longest step': Math.round(this.#longest.ms),
      of: this.#longest.name,
    });
    this.#longest = { name: '', ms: 0 };
  }

  /** Prints the rows that are left once everything is past its time, except those of present objects. */
  async end(): Promise<void> {
    const rows = await this.rows();
    const isPresent = (table: string) =>
      Object.entries(RETENTION_RULES).some(
        ([name, rule]) => name === table && rule.keep === 'present',
      );
    const left = Object.entries(rows).filter(([table]) => !isPresent(table));
    print({ name: `${this.#title}: left in the end`, unit: 'rows', ...Object.fromEntries(left) });
  }

  async close(): Promise<void> {
    await this.#rounds.close();
    await this.#logs.close();
  }

  async rows(): Promise<Record<string, number>> {
    const { database } = this.#parts;
    const counts: Record<string, number> = {};
    for (const table of [...(await database.tables())].sort()) {
      const [row] = await database.rows(`select count(*) as n from ${table}`);
      if (Number(row?.n) > 1) counts[table] = Number(row?.n);
    }
    return counts;
  }

  async #databaseMb(): Promise<number> {
    const { bytes } = await this.#parts.store.retention.use();
    return Math.round(bytes / 1e6);
  }

  #folderSizes(day: number): Record<string, number> {
    const { database, writesFiles, runsADay } = this.#parts;
    if (database.postgres) return {};
    const logs = sizeOf(this.#folders.logs);
    const blobs = sizeOf(this.#folders.blobs);
    // Without retention the files of the template stand for all.
    const times = writesFiles ? 1 : (day * runsADay) / 2;
    return {
      ...{ logs: Math.round((logs.bytes * times) / 1e6), 'files of logs': logs.files * times },
      ...{ uploads: Math.round(blobs.bytes / 1e6), 'files of uploads': blobs.files },
    };
  }
}

function sizeOf(folder: string): { readonly files: number; readonly bytes: number } {
  const sum = { files: 0, bytes: 0 };
  const look = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const inside = join(path, entry.name);
      if (entry.isDirectory()) look(inside);
      else {
        sum.files += 1;
        sum.bytes += statSync(inside).size;
      }
    }
  };
  try {
    look(folder);
  } catch {
    // The folder does not exist yet.
  }
  return sum;
}
