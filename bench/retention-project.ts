/**
 * One project with 100 000 ended runs in one database file, of which all go: what a scrape that counts them costs, a
 * request that deletes them by name, the deletion of their project, and that of their rows. Beside it goes a
 * write every 20 ms, whose longest wait is what others notice.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openStore, type Store } from '@dstack/store';
import { pino } from 'pino';
import { createCipher } from '../packages/server/src/config/cipher.ts';
import { deleteEnded } from '../packages/server/src/http/runs/delete-runs.ts';
import { RunCounts } from '../packages/server/src/metrics/run-counts.ts';
import { retentionSettings } from '../packages/server/src/retention/retention-settings.ts';
import { RetentionRounds } from '../packages/server/src/retention/rounds.ts';
import { retentionSteps } from '../packages/server/src/retention/steps.ts';
import { StrayLogs } from '../packages/server/src/retention/stray-logs.ts';
import { print } from './measure.ts';
import { fill, insertTemplate, NOW, RUNS_A_DAY } from './retention.ts';

const log = pino({ level: 'warn' });
const name = (what: string) => `retention-project: ${what}`;
const mebibytes = () => Math.round(process.memoryUsage.rss() / 2 ** 20);

export async function retentionProject(runs = '100000'): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-retention-'));
  try {
    await measure(join(dir, 'dstack.db'), Number(runs));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function measure(path: string, runs: number): Promise<void> {
  const settings = { now: () => NOW, newId: randomUUID, logger: log, cipher: createCipher([]) };
  const open = () => openStore({ url: `sqlite:///${path}`, ...settings });
  let store = await open();
  const template = await insertTemplate(store);
  await store.close();
  fill(path, template, runs / RUNS_A_DAY);
  const database = new DatabaseSync(path, { readOnly: true });
  const names = database.prepare('select name from runs').all();
  database.close();
  store = await open();
  await store.meta.set('retention', JSON.stringify({ at: NOW, deletesFrom: 0 }));
  print({ name: name(`resident memory with ${runs} runs`), unit: 'MiB', value: mebibytes() });
  const counts = new RunCounts(store);
  await timed(store, 'the first scrape', () => counts.read(NOW + 1e12));
  await timed(store, 'the second scrape', () => counts.read(NOW + 1e12));
  const { projectId } = template;
  await timed(store, 'all deleted by name in one request', () =>
    deleteEnded(store, projectId, { names: names.map((row) => String(row.name)), actor: null }),
  );
  await timed(store, 'their project deleted', () => store.projects.delete([projectId]));
  const longest = new Map<string, number>();
  await timed(store, 'their rows deleted', () => cleaned(store, longest));
  for (const [step, ms] of [...longest].sort(([, a], [, b]) => b - a).slice(0, 3)) {
    print({ name: name(`longest step of ${step}`), unit: 'ms', value: ms });
  }
  const { tables } = await store.retention.use();
  for (const { table, rows } of tables.filter((one) => ['runs', 'jobs'].includes(one.table))) {
    print({ name: name(`${table} left`), unit: 'rows', value: rows });
  }
  await store.close();
}

async function cleaned(store: Store, longest: Map<string, number>): Promise<void> {
  const policy = { ...retentionSettings({}), runs: 0 };
  const logs = { delete: async () => {} };
  const strays = new StrayLogs({ retention: store.retention, logs, root: null });
  const blobs = { delete: async () => true };
  const rounds = new RetentionRounds({
    ...{ store, log, events: policy.events, owner: 'bench', now: () => NOW, restFactor: 0 },
    steps: retentionSteps({ store, logs, blobs, strays, policy, log }),
    onStep: (step, ms) => longest.set(step, Math.max(ms, longest.get(step) ?? 0)),
  });
  await rounds.clean();
  await rounds.close();
}

/** Prints how long it takes, how long another write waits meanwhile at most, and the memory afterwards. */
async function timed(store: Store, what: string, work: () => Promise<unknown>): Promise<void> {
  let isOver = false;
  let longest = 0;
  const writing = (async () => {
    while (!isOver) {
      const start = performance.now();
      await store.meta.set('bench', String(start));
      longest = Math.max(longest, performance.now() - start);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  await work();
  const ms = performance.now() - start;
  const used = process.cpuUsage(cpu);
  isOver = true;
  await writing;
  print({ name: name(what), unit: 'ms', value: ms });
  print({ name: name(`${what}: CPU`), unit: 'ms', value: (used.user + used.system) / 1000 });
  print({ name: name(`${what}: another write waits at most`), unit: 'ms', value: longest });
  print({ name: name(`${what}: resident memory`), unit: 'MiB', value: mebibytes() });
}
