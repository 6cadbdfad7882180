/** Retention in processes that are killed at any moment, and in two servers at the same time. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type NewEvent, SECOND } from '@dstack/core';
import { jobRecord, runRecord } from '@dstack/core/testing';
import { openStore, type Store } from '@dstack/store';
import { postgresBinaries, startPostgres } from '@dstack/testkit';
import { Random } from '@dstack/testkit/random';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fileBlobs } from '../blobs/file-blobs.ts';
import { createCipher } from '../config/cipher.ts';
import type { LogStore } from '../logs/log-store.ts';
import { openLogs } from '../logs/open-logs.ts';

const PROGRAM = fileURLToPath(new URL('./testing/retention-process.ts', import.meta.url));
const DAY = 86_400 * SECOND;
const SEED = Number(process.env.KILLS_SEED ?? Math.floor(Math.random() * 2 ** 31));
const KILLS = Number(process.env.KILLS ?? 6);
/** For hangs only: each process takes seconds on a busy computer. */
const PATIENCE_MS = 600_000;
const now = () => Date.now() * 1000;
const log = pino({ level: 'silent' });
const binaries = postgresBinaries();

let dir: string;
let children: ChildProcess[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'retention-kills-'));
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

const open = (url: string) =>
  openStore({ ...{ url, now, newId: randomUUID, logger: log, cipher: createCipher([]) } });

const event: NewEvent = {
  ...{ action: 'legacy', data: { text: 'x' }, outcome: 'done', actor: null, targets: [] },
};

interface Made {
  readonly runId: string;
  readonly jobIds: readonly string[];
  readonly isDue: boolean;
}

interface Installed {
  readonly projectId: string;
  readonly runs: readonly Made[];
}

/** Runs of all ages, some of them deleted by a user, with logs and uploads. */
async function install(store: Store, count: number, random: Random): Promise<Installed> {
  const logs = logsOf(store);
  const [userId, projectId] = [randomUUID(), randomUUID()];
  const keys = { sshPublicKey: 'ssh-rsa AAAA', sshPrivateKey: 'private' };
  await store.users.insert({
    ...{ id: userId, name: 'ann', globalRole: 'user', email: null, active: true },
    ...{ createdAt: 1, token: 'token', ...keys },
  });
  await store.projects.insert({
    ...{ id: projectId, name: 'main', ownerId: userId, isPublic: false, templatesRepo: null },
    ...{ createdAt: 1, ...keys },
  });
  const runs: Made[] = [];
  for (let index = 0; index < count; index++) {
    const isDue = index % 3 !== 0;
    const at = now() - (isDue ? 400 : 10) * DAY;
    const name = `run-${index}`;
    const base = runRecord({
      ...{ id: randomUUID(), projectId, userId, name, status: 'done', version: 0 },
      ...{ submittedAt: at, lastProcessedAt: at, nextPassAt: null },
    });
    const hash = randomUUID();
    const archive = await store.files.insertArchive({
      ...{ id: randomUUID(), userId, hash, sha256: hash, size: 1, createdAt: at },
    });
    if (!store.shared) await fileBlobs(join(dir, 'blobs')).put(hash, Buffer.from('x'));
    const run = {
      ...base,
      spec: { ...base.spec, file_archives: [{ id: archive.id, path: '/x' }] },
    };
    const times = { submittedAt: at, provisionedAt: at, finishedAt: at };
    const jobs = Array.from({ length: random.whole(1, 3) }, (_, jobNum) =>
      jobRecord({ id: randomUUID(), jobNum, status: 'done', version: 0, ...times }, run),
    );
    await store.engine.submitRun({
      ...{ projectId, name: { exact: name }, build: () => ({ run, jobs }) },
      superseded: () => event,
    });
    for (const { id } of jobs) {
      await logs.append({ project: 'main', run: name, jobId: id }, 0, at, Buffer.from('output\n'));
    }
    runs.push({ runId: run.id, jobIds: jobs.map(({ id }) => id), isDue });
    if (index % 5 === 0) await store.runs.delete(projectId, [name], () => event);
  }
  await logs.close();
  await store.meta.set('retention', JSON.stringify({ at: now(), deletesFrom: 0 }));
  return { projectId, runs };
}

const logsOf = (store: Store): LogStore =>
  openLogs({ dir, store, now, quotaPerHour: 0, onQuota: () => {}, log });

interface Step {
  readonly start: number;
  readonly end: number;
  readonly count: number;
  readonly name: string;
}

/** Starts one; `steps` grows while it works. */
function start(url: string, owner: string, killAt = 0) {
  const args = [PROGRAM, dir, url, owner, String(killAt)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  const steps: Step[] = [];
  let warnings = '';
  child.stderr.on('data', (chunk) => {
    warnings += chunk;
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [end, ms, count, ...name] = line.split(' ');
    if (end === 'ready') return;
    const ended = Number(end);
    steps.push({
      ...{ end: ended, start: ended - Number(ms), count: Number(count), name: name.join(' ') },
    });
  });
  const ended = once(child, 'close').then(([, signal]) => String(signal));
  return { child, steps, ended, warnings: () => warnings };
}

/** No run without its jobs, nothing young is touched. */
async function checkWhole(store: Store, { runs }: Installed): Promise<void> {
  for (const { runId, jobIds, isDue } of runs) {
    const view = await store.runs.byId(runId);
    const jobs = await store.jobs.byIds(jobIds);
    if (!isDue) expect(view).not.toBeNull();
    expect(jobs).toHaveLength(view === null ? 0 : jobIds.length);
  }
}

/** Checks that everything due is deleted with all that belongs to it, and that all else is complete. */
async function checkEnd(store: Store, installed: Installed): Promise<void> {
  await checkWhole(store, installed);
  const { runs } = installed;
  for (const { runId, isDue } of runs) {
    expect((await store.runs.byId(runId)) === null).toBe(isDue);
  }
  expect(await store.retention.pendingLogs(now() + DAY, 999)).toEqual([]);
  const logs = logsOf(store);
  for (const { runId, jobIds } of runs.filter((run) => !run.isDue)) {
    const view = await store.runs.byId(runId);
    for (const jobId of jobIds) {
      const ref = { project: 'main', run: view?.run.name ?? '', jobId };
      expect(await logs.length(ref)).toBe(view?.run.deleted ? 0 : 7);
    }
  }
  await logs.close();
}

const folders = (): string[] => {
  const root = join(dir, 'logs', 'main');
  return existsSync(root) ? readdirSync(root) : [];
};

it(
  'killed at any point, it leaves nothing half-deleted and continues where it was',
  async () => {
    console.log(`KILLS_SEED=${SEED}`);
    const random = new Random(SEED);
    const url = `sqlite:///${join(dir, 'dstack.db')}`;
    let store = await open(url);
    const installed = await install(store, 18, random);
    await store.close();
    let kills = 0;
    for (let kill = 0; kill <= KILLS; kill++) {
      // The last process is not killed, and deletes the rest.
      const one = start(url, `server-${kill}`, kill === KILLS ? 0 : random.whole(1, 20));
      // One that finds nothing left to delete may end before its kill.
      if ((await one.ended) === 'SIGKILL') kills += 1;
      expect(one.warnings()).toBe('');
      store = await open(url);
      await checkWhole(store, installed);
      await store.close();
    }
    expect(kills).toBeGreaterThan(1);
    store = await open(url);
    await checkEnd(store, installed);
    const kept = await Promise.all(installed.runs.map(({ runId }) => store.runs.byId(runId)));
    const names = kept.flatMap((view) => (view && !view.run.deleted ? [view.run.name] : []));
    expect(folders().sort()).toEqual(names.sort());
    await store.close();
  },
  PATIENCE_MS,
);

it.skipIf(binaries === null)(
  'two servers on one database delete everything once, and survive kills',
  async () => {
    console.log(`KILLS_SEED=${SEED}`);
    const random = new Random(SEED);
    const cluster = await startPostgres(binaries ?? '');
    const watch = watchLocks((sql) => cluster.query(sql));
    try {
      const { url } = await cluster.createDatabase();
      const store = await open(url);
      const installed = await install(store, 300, random);
      const first = start(url, 'server-1', 40);
      const second = start(url, 'server-2', 55);
      const signals = Promise.race([first.ended, second.ended]);
      expect(await signals).toBe('SIGKILL');
      const third = start(url, 'server-3');
      const isDone = async () => {
        const left = installed.runs.filter((run) => run.isDue);
        const rows = await Promise.all(left.map(({ runId }) => store.runs.byId(runId)));
        return rows.every((row) => row === null);
      };
      while (!(await isDone())) await delay(200);
      const { longest, waits } = await watch.end();
      third.child.kill('SIGKILL');
      await third.ended;
      await checkEnd(store, installed);
      const all = [first, second, third];
      for (const { warnings } of all) expect(warnings()).toBe('');
      const due = installed.runs.filter((run) => run.isDue);
      const rows = due.reduce((sum, { jobIds }) => sum + jobIds.length + 1, 0);
      const deleted = all
        .flatMap(({ steps }) => steps.filter(({ name }) => name === 'runs'))
        .reduce((sum, { count }) => sum + count, 0);
      // The last step of a server that was killed may have had no time to report.
      expect(deleted).toBeLessThanOrEqual(rows);
      expect(overlaps(all.map(({ steps }) => steps))).toEqual([]);
      console.log(`longest transaction ${longest} ms, ${waits} waits for locks`);
      await store.close();
    } finally {
      await watch.end();
      for (const child of children) child.kill('SIGKILL');
      await cluster.stop();
    }
  },
  PATIENCE_MS,
);

/** Steps of two servers at the same time. */
function overlaps(servers: readonly (readonly Step[])[]): string[] {
  const all = servers.flatMap((steps, server) => steps.map((step) => ({ ...step, server })));
  const found: string[] = [];
  for (const [index, one] of all.entries()) {
    for (const other of all.slice(index + 1)) {
      if (one.server === other.server) continue;
      const shared = Math.min(one.end, other.end) - Math.max(one.start, other.start);
      // Both ends are rounded to milliseconds.
      if (shared > 2) found.push(`${one.name} and ${other.name} for ${shared} ms`);
    }
  }
  return found;
}

/** Looks at the transactions and locks of the database all the time. */
function watchLocks(query: (sql: string) => Promise<readonly Record<string, unknown>[]>) {
  let isOver = false;
  let [longest, waits] = [0, 0];
  const watching = (async () => {
    while (!isOver) {
      const [row] = await query(`select
        coalesce(max(extract(epoch from clock_timestamp() - xact_start) * 1000), 0)::int as age,
        count(*) filter (where wait_event_type = 'Lock') as waits
        from pg_stat_activity where pid <> pg_backend_pid() and state <> 'idle'
          and backend_type = 'client backend'`);
      longest = Math.max(longest, Number(row?.age ?? 0));
      waits += Number(row?.waits ?? 0);
      await delay(5);
    }
  })();
  return {
    async end() {
      isOver = true;
      await watching;
      return { longest, waits };
    },
  };
}
