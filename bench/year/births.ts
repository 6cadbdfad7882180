/**
 * Writes the rows and files that a day of runs leaves behind. The store itself makes one run, its job, and
 * what belongs to them. The runs of each day are copies of these with ids and times of their own.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type NewEvent, SECOND } from '@dstack/core';
import { fleetRecord, instanceRecord, jobRecord, runRecord } from '@dstack/core/testing';
import type { Store } from '@dstack/store';
import type { LogStore } from '../../packages/server/src/logs/log-store.ts';
import { dialect, type YearDatabase } from './year-database.ts';

export const DAY = 86_400 * SECOND;
/** One run in this many has an upload of its own, and one in this many gets a new machine. */
const PER_UPLOAD = 10;
const PER_INSTANCE = 100;
/** One run in this many is deleted by a user the day after. */
const PER_DELETED = 50;
const LOG = Buffer.from('a line of output\n'.repeat(120));
const UPLOAD = Buffer.alloc(1024, 1);

export interface Places {
  /** Folders of logs and uploads; null = they are in the database. */
  readonly logs: string | null;
  readonly blobs: string | null;
  /** Whether the files of each run are written. Without retention their number is known without them. */
  readonly writesFiles: boolean;
  readonly runsADay: number;
}

/** The rows that are copied. They date from after the year, so that retention deletes none of them. */
export interface Template {
  readonly at: number;
  readonly project: string;
  readonly user: string;
  readonly fleet: string;
  readonly instance: string;
  readonly archive: string;
  readonly plain: { readonly run: string; readonly job: string };
  readonly uploaded: { readonly run: string; readonly job: string };
  readonly events: readonly string[];
}

export class Births {
  readonly #store: Store;
  readonly #database: YearDatabase;
  readonly #places: Places;
  readonly #template: Template;
  readonly #log: readonly (readonly [string, Buffer])[];
  readonly #columns = new Map<string, readonly string[]>();
  #yesterday: readonly string[] = [];

  constructor(store: Store, database: YearDatabase, places: Places, template: Template) {
    this.#store = store;
    this.#database = database;
    this.#places = places;
    this.#template = template;
    const from = places.logs && join(places.logs, 'main', 'template', template.plain.job);
    this.#log =
      from === null
        ? []
        : readdirSync(from).map((name) => [name, readFileSync(join(from, name))] as const);
  }

  async begin(): Promise<void> {
    const types =
      'n integer, new_run text, new_job text, new_archive text, new_instance text, born bigint';
    await this.#database.run(`create temp table day (${types})`);
  }

  /** The runs of the day that begins at `at`; they have ended. */
  async day(at: number): Promise<void> {
    const template = this.#template;
    const { uuid } = dialect(this.#database);
    const { runsADay } = this.#places;
    const step = Math.floor(DAY / runsADay);
    await this.#database.run(`begin; delete from day;
      insert into day with recursive s(n) as (
        select 0 union all select n + 1 from s where n < ${runsADay - 1})
      select n, ${uuid}, ${uuid}, ${uuid}, ${uuid}, ${at} + cast(n as bigint) * ${step} from s;`);
    await this.#machines(template);
    await this.#runs(template, 'plain', `n % ${PER_UPLOAD} <> 0`);
    await this.#runs(template, 'uploaded', `n % ${PER_UPLOAD} = 0`);
    await this.#events(template);
    await this.#database.run('commit');
    const { logs, writesFiles } = this.#places;
    if (logs !== null && writesFiles) await this.#files(logs);
    await this.#deletions(template.project);
  }

  async #machines(t: Template): Promise<void> {
    const { yes } = dialect(this.#database);
    const ended = 'born + 86400000000';
    const first = { id: 'new_instance', name: "'fleet-' || n", deleted: yes };
    await this.#copy('fleets', `t.id = '${t.fleet}' and n = 0`, { ...first, created_at: 'born' });
    const machines = `n % ${PER_INSTANCE} = 0`;
    await this.#copy('instances', `t.id = '${t.instance}' and ${machines}`, {
      ...first,
      fleet_id: '(select new_instance from day where n = 0)',
      ...{ created_at: 'born', deleted_at: ended },
    });
    await this.#usage(t);
  }

  async #usage(t: Template): Promise<void> {
    const columns = await this.#database.columns('model_usage');
    const set: Readonly<Record<string, string>> = {
      ...{ project_id: `'${t.project}'`, user_id: `'${t.user}'`, model: "'model-' || n" },
      day: `born / ${DAY}`,
    };
    await this.#database.run(`insert into model_usage (${columns.join(', ')})
      select ${columns.map((name) => set[name] ?? '1').join(', ')} from day where n < 3`);
  }

  async #runs(t: Template, kind: 'plain' | 'uploaded', where: string): Promise<void> {
    const { run, job } = t[kind];
    const { json } = dialect(this.#database);
    const end = 'born + 60000000';
    const times = { submitted_at: 'born', last_processed_at: end, status_changed_at: end };
    if (kind === 'uploaded') {
      const own = {
        id: 'new_archive',
        hash: 'new_archive',
        sha256: 'new_archive',
        created_at: 'born',
      };
      await this.#copy('file_archives', `t.id = '${t.archive}' and ${where}`, own);
      if (this.#database.postgres) {
        await this.#copy('blobs', `t.sha256 = '${t.archive}' and ${where}`, {
          ...{ sha256: 'new_archive', stored_at: 'born' },
        });
      }
    }
    await this.#copy('runs', `t.id = '${run}' and ${where}`, {
      ...{
        id: 'new_run',
        name: "'r-' || substr(new_run, 1, 13)",
        ...times,
        noted_deployment: '-1',
      },
      spec: json((text) => `replace(${text}, '${t.archive}', new_archive)`, 't.spec'),
    });
    const machine = `(select m.new_instance from day m where m.n = day.n - day.n % ${PER_INSTANCE})`;
    await this.#copy('jobs', `t.id = '${job}' and ${where}`, {
      ...{ id: 'new_job', run_id: 'new_run', instance_id: machine, ...times },
      ...{ provisioned_at: 'born', finished_at: end },
    });
    await this.#copy('intents', `t.subject_id = '${job}' and ${where}`, {
      ...{ key: `replace(t.key, '${job}', new_job)`, subject_id: 'new_job' },
      ...{ created_at: 'born', updated_at: end },
    });
    await this.#copy('job_logs', `t.job_id = '${job}' and ${where}`, { job_id: 'new_job' });
    await this.#copy('job_metrics_points', `t.job_id = '${job}' and ${where}`, {
      ...{ job_id: 'new_job', timestamp_micro: `t.timestamp_micro - ${t.at} + born` },
    });
    if (this.#places.logs === null) {
      const name = "'r-' || substr(new_run, 1, 13)";
      await this.#copy('log_pieces', `t.job_id = '${job}' and ${where}`, {
        ...{ job_id: 'new_job', run: name },
      });
    }
  }

  async #events(t: Template): Promise<void> {
    const ids = t.events.map((id) => `'${id}'`).join(', ');
    const id = (column: string) => `substr(t.${column}, 1, 8) || substr(new_run, 9)`;
    await this.#copy('events', `t.id in (${ids})`, { id: id('id'), recorded_at: 'born' });
    await this.#copy('event_targets', `t.event_id in (${ids})`, {
      ...{ event_id: id('event_id'), recorded_at: 'born' },
      target_id: "case t.type when 'run' then new_run else new_job end",
    });
  }

  async #files(logs: string): Promise<void> {
    const rows = await this.#database.rows('select n, new_run, new_job, new_archive from day');
    for (const { n, new_run, new_job, new_archive } of rows) {
      const folder = join(logs, 'main', `r-${String(new_run).slice(0, 13)}`, String(new_job));
      mkdirSync(folder, { recursive: true });
      for (const [name, bytes] of this.#log) writeFileSync(join(folder, name), bytes);
      const { blobs } = this.#places;
      if (blobs === null || Number(n) % PER_UPLOAD !== 0) continue;
      const sha256 = String(new_archive);
      mkdirSync(join(blobs, sha256.slice(0, 2)), { recursive: true });
      writeFileSync(join(blobs, sha256.slice(0, 2), sha256), UPLOAD);
    }
  }

  /** By the function of the API. */
  async #deletions(projectId: string): Promise<void> {
    const of: NewEvent = {
      ...{ action: 'legacy', data: { text: 'Run deleted' }, outcome: 'done' },
      ...{ actor: null, targets: [] },
    };
    if (this.#yesterday.length > 0) {
      await this.#store.runs.delete(projectId, [...this.#yesterday], () => of);
    }
    const rows = await this.#database.rows(`select new_run from day where n % ${PER_DELETED} = 0`);
    this.#yesterday = rows.map(({ new_run }) => `r-${String(new_run).slice(0, 13)}`);
  }

  async #copy(table: string, where: string, set: Readonly<Record<string, string>>): Promise<void> {
    const columns = this.#columns.get(table) ?? (await this.#database.columns(table));
    this.#columns.set(table, columns);
    const values = columns.map((name) => set[name] ?? `t.${name}`);
    await this.#database.run(`insert into ${table} (${columns.join(', ')})
      select ${values.join(', ')} from ${table} t cross join day where ${where}`);
  }
}

export async function makeTemplate(store: Store, logs: LogStore, at: number): Promise<Template> {
  const [user, project] = [randomUUID(), randomUUID()];
  const keys = { sshPublicKey: 'ssh-rsa AAAA', sshPrivateKey: 'private' };
  await store.users.insert({
    ...{ id: user, name: 'ann', globalRole: 'user', email: null, active: true },
    ...{ createdAt: at, token: 'token', ...keys },
  });
  await store.projects.insert({
    ...{ id: project, name: 'main', ownerId: user, isPublic: false, templatesRepo: null },
    ...{ createdAt: at, ...keys },
  });
  const fleet = fleetRecord({ id: randomUUID(), projectId: project, name: 'fleet', createdAt: at });
  await store.engine.createFleet({
    ...{ projectId: project, name: { exact: fleet.name } },
    build: () => ({ fleet: { ...fleet, deleted: false, version: 0 }, instances: [] }),
  });
  const instance = instanceRecord({
    ...{ id: randomUUID(), projectId: project, fleetId: fleet.id, version: 0, createdAt: at },
    ...{ startedAt: at, status: 'terminated', deleted: true, deletedAt: at, hostId: null },
  });
  await store.engine.apply([{ type: 'instance.insert', instance }]);
  const archive = randomUUID();
  await store.files.insertArchive({
    ...{ id: archive, userId: user, hash: archive, sha256: archive, size: UPLOAD.length },
    createdAt: at,
  });
  if (store.shared) await store.files.blobs.put(archive, UPLOAD);
  const of = { store, logs, at, user, project };
  const plain = await makeRun(of, 'template', null);
  const uploaded = await makeRun(of, 'template-with-upload', archive);
  const events = await makeEvents(store, plain, project);
  return {
    at,
    project,
    user,
    fleet: fleet.id,
    instance: instance.id,
    archive,
    plain,
    uploaded,
    events,
  };
}

interface RunOf {
  readonly store: Store;
  readonly logs: LogStore;
  readonly at: number;
  readonly user: string;
  readonly project: string;
}

async function makeRun(
  { store, logs, at, user, project }: RunOf,
  name: string,
  archive: string | null,
) {
  const base = runRecord({
    ...{ id: randomUUID(), projectId: project, userId: user, name, status: 'done', version: 0 },
    ...{ submittedAt: at, lastProcessedAt: at, nextPassAt: null },
  });
  const file_archives = archive === null ? [] : [{ id: archive, path: '/x' }];
  const run = { ...base, spec: { ...base.spec, file_archives } };
  const times = { submittedAt: at, provisionedAt: at, finishedAt: at };
  const job = jobRecord({ id: randomUUID(), status: 'done', version: 0, ...times }, run);
  await store.engine.submitRun({
    ...{ projectId: project, name: { exact: name }, build: () => ({ run, jobs: [job] }) },
    superseded: () => {
      throw new Error('the database is empty');
    },
  });
  for (const kind of ['start', 'remove'] as const) {
    await store.engine.apply([
      {
        type: 'intent.insert',
        intent: {
          ...{ key: `job.${kind}:${job.id}:0`, kind: 'job.start', subjectId: job.id, attempt: 0 },
          ...{ payload: { kind: 'job.start', hold: false }, state: 'done', result: { kind: 'ok' } },
          ...{ error: null, createdAt: at, updatedAt: at },
        },
      },
    ]);
  }
  await store.reports.saveLogEnd(job.id, LOG.length);
  await store.metrics.addJobPoints(
    Array.from({ length: 6 }, (_, index) => ({
      jobId: job.id,
      metrics: {
        ...{ timestamp_micro: at + index * 10 * SECOND, cpu_usage_micro: index * 1000 },
        ...{ memory_usage_bytes: 1e8, memory_working_set_bytes: 1e8 },
        gpus: [{ memory_usage_bytes: 1e9, util_percent: 50 }],
      },
    })),
  );
  const ref = { project: 'main', run: name, jobId: job.id };
  await logs.append(ref, 0, at, LOG);
  await logs.sync([ref]);
  return { run: run.id, job: job.id };
}

/** As many as a run of one job has. */
async function makeEvents(
  store: Store,
  { run, job }: { readonly run: string; readonly job: string },
  projectId: string,
): Promise<readonly string[]> {
  const target = (type: 'run' | 'job', id: string) => ({
    ...{ type, id, name: 'template', projectId, parentId: null },
  });
  const statuses = ['provisioning', 'pulling', 'running', 'terminating', 'done'];
  const event = (text: string, ...targets: NewEvent['targets']): NewEvent => ({
    ...{ action: 'legacy', data: { text }, outcome: 'done', actor: null, targets },
  });
  await store.events.write([
    ...statuses.map((to) => event(`Job status changed to ${to}`, target('job', job))),
    ...statuses.slice(2).map((to) => event(`Run status changed to ${to}`, target('run', run))),
  ]);
  const page = { limit: 100, ascending: true } as const;
  const all = await store.events.list({ visibleTo: null, page });
  return all.filter(({ message }) => message.includes('status changed to')).map(({ id }) => id);
}
