/**
 * A database file with some hundreds of ended runs, whose copies fill a year. A few are of a simulation, in
 * which the real engine runs services, gangs, schedules and retries on hosts and clouds that fail; the
 * others are what most runs are, one job that ends, some with an upload. All have output and measurements.
 */
import { randomUUID } from 'node:crypto';
import { type NewEvent, SECOND } from '@dstack/core';
import { jobRecord, runRecord } from '@dstack/core/testing';
import { openMemoryStore, openStore, type Store } from '@dstack/store';
import { pino } from 'pino';
import { createCipher } from '../../packages/server/src/config/cipher.ts';
import { FileLogStore } from '../../packages/server/src/logs/file/file-log-store.ts';
import { TableLogStore } from '../../packages/server/src/logs/tables/table-log-store.ts';
import { simulate } from '../../packages/server/src/testing/simulation/simulation.ts';

/** The number of plain runs, beside those of the simulation. */
const PLAIN = 440;
const UPLOADED = 40;
const STEPS = 60;
/** Rarer than in the search for faults, where most attempts fail. */
const FAULTS = {
  ...{ breakLink: 0.1, failHost: 0.1, hangDaemon: 0.05, crash: 0.1, vanish: 0.05, interrupt: 0.1 },
  ...{ exhaust: 0, suspend: 0, unmountShare: 0.05, vanishVolume: 0.02, agentLies: 0, gateway: 0 },
};

const PROJECT = 'main';
const UPLOAD = Buffer.alloc(1024, 1);
const DAY = 86_400 * SECOND;

export interface Story {
  /** When its last run has ended. */
  readonly end: number;
  readonly uploads: readonly string[];
}

export interface StoryPlaces {
  readonly database: string;
  /** Folder of logs; null = they are rows. */
  readonly logs: string | null;
}

const logger = pino({ level: 'silent' });

export async function writeStory({ database, logs }: StoryPlaces): Promise<Story> {
  const url = `sqlite:///${database}`;
  const { seconds } = await simulate({
    ...{ seed: 7, steps: STEPS, faults: FAULTS, arrays: 0 },
    // Simulated time stands still for promises only, not for a disk.
    openStore: (options) => openMemoryStore(options, database),
  });
  const end = (SIMULATION_START + Math.ceil(seconds) + 60) * SECOND;
  const now = () => end;
  const store = await openStore({ url, now, newId: randomUUID, logger, cipher: createCipher([]) });
  const common = { now, quotaPerHour: 0, onQuota: () => {}, onSyncError: () => {} };
  const output =
    logs === null
      ? new TableLogStore({ ...common, ...store.logs })
      : new FileLogStore({ ...common, root: logs });
  const plain = new PlainRuns(store, end);
  await plain.make();
  for (const [index, job] of (await allJobs(store)).entries()) {
    await store.metrics.addJobPoints(points(job.id, end));
    const bytes = logOf(index);
    await output.append(job, 0, end, bytes);
    await output.sync([job]);
    await store.reports.saveLogEnd(job.id, bytes.length);
  }
  await output.close();
  await store.close();
  return { end, uploads: plain.uploads };
}

/** Seconds: where the clock of the simulation begins. */
const SIMULATION_START = Date.parse('2026-01-01T00:00:00Z') / 1000;

/** 1 to 5 KB for most jobs, and 1 MB for one in a hundred. */
function logOf(index: number): Buffer {
  const bytes = index % 100 === 99 ? 1_000_000 : 1000 + ((index * 37) % 41) * 100;
  const line = `${index}: step 12 of 400, loss 0.2931, 1 204 tokens/s\n`;
  return Buffer.from(line.repeat(Math.ceil(bytes / line.length)));
}

/** A minute of measurements. */
const points = (jobId: string, end: number) =>
  Array.from({ length: 6 }, (_, index) => ({
    jobId,
    metrics: {
      ...{ timestamp_micro: end - (6 - index) * 10 * SECOND, cpu_usage_micro: index * 1000 },
      ...{ memory_usage_bytes: 1e8, memory_working_set_bytes: 1e8 },
      gpus: [{ memory_usage_bytes: 1e9, util_percent: 50 }],
    },
  }));

/** Those with output: they were started. */
async function allJobs(store: Store) {
  const views = await store.runs.list({ onlyActive: false, projectIds: null });
  const jobs = await Promise.all(
    views.map(async ({ run, projectName }) =>
      (await store.jobs.ofRun(run.id)).map((job) => ({ job, run: run.name, project: projectName })),
    ),
  );
  return jobs
    .flat()
    .filter(({ job }) => job.provisionedAt !== null)
    .map(({ job, run, project }) => ({ ...job, project, run, jobId: job.id }));
}

class PlainRuns {
  readonly uploads: string[] = [];
  readonly #store: Store;
  readonly #at: number;
  readonly #user = randomUUID();
  readonly #project = randomUUID();

  constructor(store: Store, end: number) {
    this.#store = store;
    this.#at = end - 120 * SECOND;
  }

  async make(): Promise<void> {
    const keys = { sshPublicKey: 'ssh-rsa AAAA', sshPrivateKey: 'private' };
    await this.#store.users.insert({
      ...{ id: this.#user, name: 'mia', globalRole: 'user', email: null, active: true },
      ...{ createdAt: this.#at, token: 'token of mia', ...keys },
    });
    await this.#store.projects.insert({
      ...{ id: this.#project, name: PROJECT, ownerId: this.#user, isPublic: false },
      ...{ templatesRepo: null, createdAt: this.#at, ...keys },
    });
    for (let n = 0; n < PLAIN; n++) await this.#run(`plain-${n}`, n, null);
    for (let n = 0; n < UPLOADED; n++) await this.#run(`uploaded-${n}`, n, await this.#upload());
    const counts = { aborted: 0, estimated: 1, promptTokens: 900, completionTokens: 400 };
    const by = { projectId: this.#project, userId: this.#user, tokenId: null };
    const day = Math.floor(this.#at / DAY);
    await this.#store.modelUsage.add(
      ['small', 'large', 'code'].map((model) => ({ ...by, model, day, requests: 7, ...counts })),
    );
  }

  async #upload(): Promise<string> {
    const id = randomUUID();
    this.uploads.push(id);
    await this.#store.files.insertArchive({
      ...{ id, userId: this.#user, hash: id, sha256: id, size: UPLOAD.length },
      createdAt: this.#at,
    });
    await this.#store.files.blobs.put(id, UPLOAD);
    return id;
  }

  async #run(name: string, n: number, archive: string | null): Promise<void> {
    const store = this.#store;
    const ending = n % 7 === 3 ? 'failed' : 'done';
    const ended = this.#at + 60 * SECOND;
    const base = runRecord({
      ...{ id: randomUUID(), projectId: this.#project, userId: this.#user, name, version: 0 },
      ...{ status: ending, submittedAt: this.#at, lastProcessedAt: ended, nextPassAt: null },
    });
    const file_archives = archive === null ? [] : [{ id: archive, path: '/x' }];
    const run = { ...base, spec: { ...base.spec, file_archives } };
    const times = { submittedAt: this.#at, provisionedAt: this.#at, finishedAt: ended };
    const job = jobRecord({ id: randomUUID(), status: ending, version: 0, ...times }, run);
    await store.engine.submitRun({
      ...{ projectId: run.projectId, name: { exact: name }, build: () => ({ run, jobs: [job] }) },
      superseded: () => {
        throw new Error('names are used once');
      },
    });
    for (const kind of ['start', 'remove'] as const) {
      await store.engine.apply([
        {
          type: 'intent.insert',
          intent: {
            ...{ key: `job.${kind}:${job.id}:0`, kind: 'job.start', subjectId: job.id, attempt: 0 },
            ...{ payload: { kind: 'job.start', hold: false }, state: 'done', error: null },
            ...{ result: { kind: 'ok' }, createdAt: this.#at, updatedAt: ended },
          },
        },
      ]);
    }
    await store.events.write(events(run, job));
  }
}

/** Returns as many events as a run of one job has. */
function events(
  run: { readonly id: string; readonly projectId: string; readonly name: string },
  job: { readonly id: string },
): NewEvent[] {
  const target = (type: 'run' | 'job', id: string) => ({
    ...{ type, id, name: run.name, projectId: run.projectId, parentId: null },
  });
  const event = (text: string, ...targets: NewEvent['targets']): NewEvent => ({
    ...{ action: 'legacy', data: { text }, outcome: 'done', actor: null, targets },
  });
  const statuses = ['provisioning', 'pulling', 'running', 'terminating', 'done'];
  return [
    ...statuses.map((to) => event(`Job status changed to ${to}`, target('job', job.id))),
    ...statuses.slice(2).map((to) => event(`Run status changed to ${to}`, target('run', run.id))),
  ];
}
