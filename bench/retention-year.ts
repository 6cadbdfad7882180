/**
 * A year at 1 000 runs a day by a simulated clock, with default settings: what is stored at the end of each
 * month, what deletion costs, and how long its longest step is. Births continue for a month after the first
 * uploads have been deleted, when nothing may grow any more; then they stop, and everything must go.
 * Before it a month without retention, from which the year without it follows: nothing of it is deleted.
 * `retention-year:postgres` does it on PostgreSQL, `retention-year:sqlite,90` stops the births after 90 days,
 * `retention-year:sqlite,425,2` writes two copies of the story (`year/story.ts`) a day, `…,0.2` one every five days.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
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
import { Births, type BirthsParts, DAY } from './year/births.ts';
import { readStory, type StoryTable } from './year/repeatable.ts';
import { writeStory } from './year/story.ts';
import { postgresDatabase, sqliteDatabase, type YearDatabase } from './year/year-database.ts';

/** Each copy has about 500 runs. */
const COPIES_A_DAY = 2;
const MONTH = 30;
/** A run's upload goes 90 days after the run, which is kept for a year. */
const LONGEST = 365 + 90;
/** A month more than the longest period, in which nothing may grow any more. */
const BIRTHS = LONGEST + MONTH;
const REST = LONGEST + 10;
/** Retention has one round a minute, also when there is no work. */
const ROUNDS_A_DAY = 1440;
/** Files are young by the computer's clock, so the simulated one begins there. */
const START = Math.floor((Date.now() * 1000) / DAY) * DAY;

const log = pino({ level: 'warn' });

export async function retentionYear(argument = 'sqlite'): Promise<void> {
  const [kind = 'sqlite', days = String(BIRTHS), copies = String(COPIES_A_DAY)] =
    argument.split(',');
  const dir = mkdtempSync(join(memoryFolder(), 'bench-story-'));
  try {
    const story = await makeStory(dir, kind);
    const of = { kind, copiesADay: Number(copies), story };
    await measure({ ...of, days: Math.min(MONTH, Number(days)), isKept: false });
    await measure({ ...of, days: Number(days), isKept: true });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function makeStory(dir: string, kind: string): Promise<BirthsParts['story']> {
  const folders = { logs: join(dir, 'logs'), blobs: join(dir, 'blobs') };
  for (const folder of Object.values(folders)) mkdirSync(folder);
  writeFileSync(join(folders.blobs, 'upload'), Buffer.alloc(1024, 1));
  const database = join(dir, 'story.db');
  const logs = kind === 'postgres' ? null : folders.logs;
  const story = await writeStory({ database, logs });
  const { tables, renamed } = readStory(database);
  // With SQLite these are files.
  const isRow = ({ name }: StoryTable) => logs === null || !['log_pieces', 'blobs'].includes(name);
  return { ...story, tables: tables.filter(isRow), renamed, folders };
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
  // A day passes within seconds, so vacuum has to look more often, and without its pauses.
  const vacuum = ['autovacuum=on', 'autovacuum_naptime=1', 'autovacuum_vacuum_cost_delay=0'];
  const cluster = await startPostgres(binaries, vacuum);
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
  readonly copiesADay: number;
  readonly story: BirthsParts['story'];
  readonly isKept: boolean;
}

async function measure({ kind, days, copiesADay, story, isKept }: Wanted): Promise<void> {
  const at = await place(kind);
  let now = START;
  const store = await openStore(options(at.url, () => now));
  const database = await at.open();
  const folders = { logs: join(at.dir, 'logs'), blobs: join(at.dir, 'blobs') };
  const births = new Births({
    ...{ store, database, story, copies: Math.max(1, Math.round(copiesADay)) },
    folders: database.postgres ? null : folders,
  });
  const runs = `${Math.round(births.runs * copiesADay)} runs a day`;
  const pause = Math.max(1, Math.round(1 / copiesADay));
  const title = `retention-year ${kind}, ${runs}${isKept ? '' : ', without retention'}`;
  const year = new Year(title, { store, database, now: () => now, folders, births });
  const begin = performance.now();
  try {
    await year.begin();
    for (let day = 1; day <= days + (isKept ? REST : 0); day++) {
      if (day <= days && day % pause === 0) await year.births(now);
      now = START + day * DAY;
      if (isKept) await year.day();
      if (day % MONTH === 0 || day === days) await year.month(day, isKept);
    }
    if (isKept) await year.end();
    else await year.without(days);
  } finally {
    await year.close();
    await database.close();
    await store.close();
    await at.close();
  }
  print({ name: `${title}: it took`, unit: 's', value: (performance.now() - begin) / 1000 });
}

const options = (url: string, now: () => number) => ({
  ...{ url, now, newId: randomUUID, logger: log, cipher: createCipher([]) },
});

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
  readonly folders: { readonly logs: string; readonly blobs: string };
  readonly births: Births;
}

class Year {
  readonly #title: string;
  readonly #parts: YearParts;
  readonly #logs: LogStore;
  readonly #rounds: RetentionRounds;
  #longest = { name: '', ms: 0 };
  readonly #steps = new Map<string, number>();
  #cpu = { days: 0, us: 0 };
  #written = { days: 0, us: 0 };

  constructor(title: string, parts: YearParts) {
    const { store, database, now, folders } = parts;
    this.#title = title;
    this.#parts = parts;
    this.#logs = openLogs(store, folders.logs, now);
    const policy = retentionSettings({});
    const { retention } = store;
    const root = database.postgres ? null : folders.logs;
    const strays = new StrayLogs({ retention, logs: this.#logs, root });
    const blobs = database.postgres ? store.files.blobs : fileBlobs(folders.blobs);
    this.#rounds = new RetentionRounds({
      ...{ store, log, events: policy.events, owner: 'bench', now, restFactor: 0 },
      steps: retentionSteps({ store, logs: this.#logs, blobs, strays, policy, log }),
      onStep: (name, ms) => {
        this.#steps.set(name, (this.#steps.get(name) ?? 0) + ms);
        if (ms > this.#longest.ms) this.#longest = { name, ms };
      },
    });
  }

  async begin(): Promise<void> {
    await this.#parts.births.begin();
  }

  async births(at: number): Promise<void> {
    const before = process.cpuUsage();
    await this.#parts.births.day(at);
    const { user, system } = process.cpuUsage(before);
    this.#written.us += user + system;
    this.#written.days += 1;
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
    print({ name, unit: 'rows', ...(await this.#rows()) });
    print({ name, unit: 'MB', ...(await this.#sizes()) });
    if (!isKept) return;
    const { days, us } = this.#cpu;
    this.#cpu = { days: 0, us: 0 };
    await this.#round();
    const idle = this.#cpu.us;
    this.#cpu.us = 0;
    const written = this.#written.us / 1000 / Math.max(1, this.#written.days);
    this.#written = { days: 0, us: 0 };
    print({
      ...{ name, unit: 'ms of CPU a day', deletion: Math.round(us / 1000 / Math.max(1, days)) },
      'floor: writing what a day adds, in bulk': Math.round(written),
      'rounds without work': Math.round((idle / 1000) * ROUNDS_A_DAY),
    });
    print({
      name,
      unit: 'ms',
      'longest step': Math.round(this.#longest.ms),
      of: this.#longest.name,
    });
    this.#longest = { name: '', ms: 0 };
    const steps = [...this.#steps].map(([step, sum]) => [
      step,
      Math.round(sum / Math.max(1, days)),
    ]);
    this.#steps.clear();
    const most = steps.filter(([, ms]) => Number(ms) > 0);
    print({ name, unit: 'ms a day by step', ...Object.fromEntries(most) });
  }

  /** Nothing is deleted, so a year weighs as many times more as it has days more. */
  async without(days: number): Promise<void> {
    const sizes = Object.entries(await this.#sizes()).map(([key, size]) => [
      key,
      Math.round((size * 365) / days),
    ]);
    const name = `${this.#title}: 365 days, from the first ${days}`;
    print({ name, unit: 'MB', ...Object.fromEntries(sizes) });
  }

  /** Prints the rows that are left once everything is past its time, except those of present objects. */
  async end(): Promise<void> {
    const rows = await this.#rows();
    const isPresent = (table: string) =>
      Object.entries(RETENTION_RULES).some(
        ([name, rule]) => name === table && rule.keep === 'present',
      );
    const left = Object.entries(rows).filter(([table]) => !isPresent(table));
    print({ name: `${this.#title}: left in the end`, unit: 'rows', ...Object.fromEntries(left) });
    print({ name: `${this.#title}: left in the end`, unit: 'MB', ...(await this.#sizes()) });
  }

  async close(): Promise<void> {
    await this.#rounds.close();
    await this.#logs.close();
  }

  async #rows(): Promise<Record<string, number>> {
    const { database } = this.#parts;
    const counts: Record<string, number> = {};
    for (const table of [...(await database.tables())].sort()) {
      const [row] = await database.rows(`select count(*) as n from ${table}`);
      if (Number(row?.n) > 1) counts[table] = Number(row?.n);
    }
    return counts;
  }

  async #sizes(): Promise<Record<string, number>> {
    const { database, store, folders } = this.#parts;
    const { bytes, freeBytes } = await store.retention.use();
    const mb = (size: number) => Math.round(size / 1e6);
    if (database.postgres) {
      const [dead] = await database.rows('select sum(n_dead_tup) as n from pg_stat_user_tables');
      return { database: mb(bytes), 'dead rows': Number(dead?.n) };
    }
    const logs = sizeOf(folders.logs);
    const blobs = sizeOf(folders.blobs);
    return {
      ...{ database: mb(bytes), 'of it free': mb(freeBytes ?? 0), logs: mb(logs.bytes) },
      ...{ 'files of logs': logs.files, 'empty folders': logs.empty + blobs.empty },
      ...{ uploads: mb(blobs.bytes), 'files of uploads': blobs.files },
    };
  }
}

interface FolderSize {
  readonly files: number;
  readonly bytes: number;
  /** Folders with nothing in them. */
  readonly empty: number;
}

function sizeOf(folder: string): FolderSize {
  const sum = { files: 0, bytes: 0, empty: 0 };
  const look = (path: string): void => {
    const entries = readdirSync(path, { withFileTypes: true });
    if (entries.length === 0) sum.empty += 1;
    for (const entry of entries) {
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
