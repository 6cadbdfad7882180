/**
 * Days at 1 000 runs a day in one database file, the older half past its time: what deletion costs, how
 * long its longest step is, and how large the file is before and after. Two years (`retention:730`) take a
 * quarter of an hour.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SECOND } from '@dstack/core';
import { jobRecord, runRecord } from '@dstack/core/testing';
import { openStore } from '@dstack/store';
import { pino } from 'pino';
import { createCipher } from '../packages/server/src/config/cipher.ts';
import { retentionSettings } from '../packages/server/src/retention/retention-settings.ts';
import { RetentionRounds } from '../packages/server/src/retention/rounds.ts';
import { retentionSteps } from '../packages/server/src/retention/steps.ts';
import { StrayLogs } from '../packages/server/src/retention/stray-logs.ts';
import { print } from './measure.ts';

export const RUNS_A_DAY = 1000;
const DAY = 86_400 * SECOND;
export const NOW = 1_800_000_000 * SECOND;

export async function retention(days = '100'): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-retention-'));
  try {
    await measure(dir, Number(days));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function measure(dir: string, days: number): Promise<void> {
  const path = join(dir, 'dstack.db');
  const log = pino({ level: 'warn' });
  const now = () => NOW;
  const open = () =>
    openStore({
      ...{
        url: `sqlite:///${path}`,
        now,
        newId: randomUUID,
        logger: log,
        cipher: createCipher([]),
      },
    });
  let store = await open();
  const template = await insertTemplate(store);
  await store.close();
  fill(path, template, days);
  store = await open();
  const name = `retention, ${days} days of ${RUNS_A_DAY} runs`;
  const size = () => Math.round(statSync(path).size / 1e6);
  print({ name: `${name}: file before`, unit: 'MB', value: size() });
  const counted = performance.now();
  await store.retention.use();
  print({ name: `${name}: usage`, unit: 'ms', value: performance.now() - counted });
  await store.meta.set('retention', JSON.stringify({ at: NOW, deletesFrom: 0 }));
  let longest = { name: '', ms: 0 };
  const ofStep = new Map<string, number>();
  const policy = { ...retentionSettings({}), runs: (days / 2) * 86_400 };
  const logs = { delete: async () => {} };
  const strays = new StrayLogs({ retention: store.retention, logs, root: null });
  const rounds = new RetentionRounds({
    ...{ store, log, events: policy.events, owner: 'bench', now, restFactor: 0 },
    steps: retentionSteps({
      ...{ store, logs, blobs: { delete: async () => true }, strays, policy, log },
    }),
    onStep: (step, ms) => {
      ofStep.set(step, (ofStep.get(step) ?? 0) + ms);
      if (ms > longest.ms) longest = { name: step, ms };
    },
  });
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  const counts = (await rounds.clean()) ?? {};
  const used = process.cpuUsage(cpu);
  print({ name: `${name}: deletion`, unit: 's', value: (performance.now() - start) / 1000 });
  print({ name: `${name}: CPU`, unit: 's', value: (used.user + used.system) / 1e6 });
  print({ name: `${name}: rows of runs and jobs deleted`, unit: 'rows', value: counts.runs ?? 0 });
  print({ name: `${name}: longest step (${longest.name})`, unit: 'ms', value: longest.ms });
  for (const [step, ms] of [...ofStep].sort(([, a], [, b]) => b - a).slice(0, 3)) {
    print({ name: `${name}: all steps of ${step}`, unit: 's', value: ms / 1000 });
  }
  const [again, idle] = [performance.now(), process.cpuUsage()];
  await rounds.clean();
  const rest = process.cpuUsage(idle);
  print({ name: `${name}: a round without work`, unit: 'ms', value: performance.now() - again });
  print({ name: `${name}: … CPU`, unit: 'ms', value: (rest.user + rest.system) / 1000 });
  const { tables } = await store.retention.use();
  const left = tables.filter(({ table }) => ['runs', 'jobs', 'intents'].includes(table));
  for (const { table, rows } of left) {
    print({ name: `${name}: ${table} left`, unit: 'rows', value: rows });
  }
  await rounds.close();
  await store.close();
  print({ name: `${name}: file after`, unit: 'MB', value: size() });
}

export async function insertTemplate(store: Awaited<ReturnType<typeof openStore>>) {
  const [userId, projectId] = [randomUUID(), randomUUID()];
  const keys = { sshPublicKey: 'ssh-rsa AAAA', sshPrivateKey: 'private' };
  await store.users.insert({
    ...{ id: userId, name: 'ann', globalRole: 'user', email: null, active: true },
    ...{ createdAt: NOW, token: 'token', ...keys },
  });
  await store.projects.insert({
    ...{ id: projectId, name: 'main', ownerId: userId, isPublic: false, templatesRepo: null },
    ...{ createdAt: NOW, ...keys },
  });
  const run = runRecord({
    ...{ id: randomUUID(), projectId, userId, status: 'done', submittedAt: NOW },
    ...{ lastProcessedAt: NOW, nextPassAt: null, version: 0, name: 'template' },
  });
  const times = { submittedAt: NOW, provisionedAt: NOW, finishedAt: NOW };
  const job = jobRecord({ id: randomUUID(), status: 'done', version: 0, ...times }, run);
  await store.engine.submitRun({
    ...{ projectId, name: { exact: run.name }, build: () => ({ run, jobs: [job] }) },
    superseded: () => {
      throw new Error('the database is empty');
    },
  });
  return { runId: run.id, jobId: job.id, projectId };
}

/** Copies the run, its job and what belongs to them, in the order of time. */
export function fill(
  path: string,
  { runId, jobId }: { readonly runId: string; readonly jobId: string },
  days: number,
): void {
  const database = new DatabaseSync(path);
  database.exec('pragma synchronous = off; pragma journal_mode = wal; begin');
  const copy = (table: string, id: string, set: Readonly<Record<string, string>>) => {
    const columns = database.prepare(`select name from pragma_table_info('${table}')`).all();
    const values = columns.map(({ name }) => set[String(name)] ?? String(name));
    const names = columns.map(({ name }) => name).join(', ');
    const where = `from ${table} where id = '${id}'`;
    return database.prepare(`insert into ${table} (${names}) select ${values.join(', ')} ${where}`);
  };
  const at = { submitted_at: '?2', last_processed_at: '?2', status_changed_at: '?2' };
  const run = copy('runs', runId, { id: '?1', name: '?1', deleted: '0', ...at });
  const times = { ...at, provisioned_at: '?2', finished_at: '?2' };
  const job = copy('jobs', jobId, { id: '?1', run_id: '?3', ...times });
  const intent =
    database.prepare(`insert into intents (key, kind, subject_id, attempt, payload, state,
    created_at, updated_at) values (?, 'job.start', ?, 0, '{"kind":"job.start","hold":false}', 'done', ?, ?)`);
  const logEnd = database.prepare('insert into job_logs (job_id, stored) values (?, 5000000)');
  const count = days * RUNS_A_DAY;
  for (let index = 0; index < count; index++) {
    const time = NOW - Math.round(((count - index) / RUNS_A_DAY) * DAY);
    const [id, ofRun] = [randomUUID(), randomUUID()];
    run.run(ofRun, time);
    job.run(id, time, ofRun);
    for (const kind of ['start', 'remove']) intent.run(`job.${kind}:${id}:0`, id, time, time);
    logEnd.run(id);
  }
  database.exec('commit; pragma wal_checkpoint(truncate)');
  database.close();
}
