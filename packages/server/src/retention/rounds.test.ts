import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NewEvent, SECOND, type Timestamp } from '@dstack/core';
import { jobRecord, runRecord } from '@dstack/core/testing';
import { type Blobs, openStore, type Store } from '@dstack/store';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { fileBlobs } from '../blobs/file-blobs.ts';
import { createCipher } from '../config/cipher.ts';
import { FileLogStore } from '../logs/file/file-log-store.ts';
import { PAUSE } from './pause.ts';
import { retentionSettings } from './retention-settings.ts';
import { RetentionRounds } from './rounds.ts';
import { retentionSteps } from './steps.ts';
import { StrayLogs } from './stray-logs.ts';

const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
let now: Timestamp;
let dir: string;
let store: Store;
let logs: FileLogStore;
let userId: string;
let projectId: string;
const log = pino({ level: 'silent' });
const UNSET = { runsSeconds: null, logsSeconds: null, eventsSeconds: null, metricsSeconds: null };

beforeEach(async () => {
  now = 1_800_000_000 * SECOND;
  dir = mkdtempSync(join(tmpdir(), 'retention-'));
  store = await openStore({
    url: `sqlite:///${dir}/dstack.db`,
    ...{ now: () => now, newId: randomUUID, logger: log, cipher: createCipher([]) },
  });
  [userId, projectId] = [randomUUID(), randomUUID()];
  const keys = { sshPublicKey: 'ssh-rsa AAAA', sshPrivateKey: 'private' };
  await store.users.insert({
    ...{ id: userId, name: 'ann', globalRole: 'user', email: null, active: true },
    ...{ createdAt: now, token: 'token', ...keys },
  });
  await store.projects.insert({
    ...{ id: projectId, name: 'main', ownerId: userId, isPublic: false, templatesRepo: null },
    ...{ createdAt: now, ...keys },
  });
  logs = new FileLogStore({
    ...{ root: join(dir, 'logs'), now: () => now, quotaPerHour: 0 },
    ...{ onQuota: () => {}, onSyncError: () => {} },
  });
});
afterEach(async () => {
  await logs.close();
  await store.close();
  rmSync(dir, { recursive: true });
});

const event = (text: string): NewEvent => ({
  ...{ action: 'legacy', data: { text }, outcome: 'done', actor: null, targets: [] },
});

function makeRounds(
  env: Record<string, string> = {},
  blobs: Pick<Blobs, 'delete'> = fileBlobs(join(dir, 'blobs')),
  onStep: (name: string) => void = () => {},
): RetentionRounds {
  const policy = retentionSettings(env);
  const root = join(dir, 'logs');
  const strays = new StrayLogs({ retention: store.retention, logs, root });
  return new RetentionRounds({
    ...{ store, log, owner: 'test', now: () => now, events: policy.events, restFactor: 0, onStep },
    steps: retentionSteps({ store, logs, blobs, strays, policy, log }),
  });
}

/** One round, as if the last one had been a moment ago. */
async function clean(
  env: Record<string, string> = {},
  blobs?: Pick<Blobs, 'delete'>,
  onStep?: (name: string) => void,
) {
  await store.meta.set('retention', JSON.stringify({ at: now, deletesFrom: 0 }));
  const rounds = makeRounds(env, blobs, onStep);
  try {
    return (await rounds.clean()) ?? {};
  } finally {
    await rounds.close();
  }
}

/** A finished run with one job and its log. */
async function endedRun(name: string, endedAt: Timestamp, status: 'done' | 'running' = 'done') {
  const finishedAt = status === 'done' ? endedAt : null;
  const jobId = randomUUID();
  const run = runRecord({
    ...{ id: randomUUID(), projectId, userId, name, status, version: 0 },
    ...{ submittedAt: endedAt, lastProcessedAt: endedAt, nextPassAt: null },
  });
  const times = { submittedAt: endedAt, provisionedAt: endedAt, finishedAt };
  const job = jobRecord({ id: jobId, status, version: 0, ...times }, run);
  await store.engine.submitRun({
    ...{ projectId, name: { exact: name }, build: () => ({ run, jobs: [job] }) },
    superseded: () => event('superseded'),
  });
  await logs.append({ project: 'main', run: name, jobId }, 0, endedAt, Buffer.from('output\n'));
  return { run, jobId };
}

const logFolders = () =>
  existsSync(join(dir, 'logs/main')) ? readdirSync(join(dir, 'logs/main')) : [];

describe('retention', () => {
  it('deletes events after their time and no earlier', async () => {
    await store.events.write([event('old')]);
    now += 3000 * SECOND;
    await store.events.write([event('recent')]);
    now += 700 * SECOND;
    const env = { DSTACK_SERVER_EVENTS_TTL_SECONDS: '3600' };
    expect(await clean(env)).toMatchObject({ events: 1 });
    expect(await clean(env)).toMatchObject({ events: 0 });
  });

  it('deletes logs a month after their job, and runs a year after their end', async () => {
    const { run } = await endedRun('old', now);
    now += 29 * DAY;
    await endedRun('recent', now);
    await clean();
    expect(logFolders().sort()).toEqual(['old', 'recent']);
    now += 2 * DAY;
    await clean();
    expect(logFolders()).toEqual(['recent']);
    expect(await store.runs.byId(run.id)).not.toBeNull();
    now += 333 * DAY;
    await clean();
    expect(await store.runs.byId(run.id)).not.toBeNull();
    now += 2 * DAY;
    await clean();
    expect(await store.runs.byId(run.id)).toBeNull();
  });

  it('keeps a run that has been active for years, and the log of its running job', async () => {
    const { run } = await endedRun('service', now, 'running');
    now += 1000 * DAY;
    await clean();
    expect((await store.runs.byId(run.id))?.jobs).toHaveLength(1);
    expect(logFolders()).toEqual(['service']);
  });

  it('deletes the logs of a run that a user has deleted, also during the pause', async () => {
    const { run } = await endedRun('train', now);
    await endedRun('other', now);
    await store.runs.delete(projectId, ['train'], () => event('deleted'));
    const rounds = makeRounds();
    await rounds.clean();
    await rounds.close();
    expect((await rounds.state())?.deletesFrom).toBe(now + PAUSE);
    expect(logFolders()).toEqual(['other']);
    expect((await store.runs.byId(run.id))?.run.deleted).toBe(true);
  });

  it('deletes nothing of an upgraded installation for a week, whatever its age', async () => {
    const { run } = await endedRun('ancient', now - 2000 * DAY);
    const rounds = makeRounds();
    await rounds.clean();
    const dayLater = async () => {
      now += DAY;
      const state = await rounds.state();
      await store.meta.set('retention', JSON.stringify({ ...state, at: now }));
      await rounds.clean();
    };
    for (let day = 1; day < 7; day++) await dayLater();
    expect(await store.runs.byId(run.id)).not.toBeNull();
    await dayLater();
    await rounds.close();
    expect(await store.runs.byId(run.id)).toBeNull();
    expect(logFolders()).toEqual([]);
  });

  it('a project may keep its runs for less time than the server', async () => {
    const { run } = await endedRun('short', now);
    await store.retention.setOfProject(projectId, { ...UNSET, runsSeconds: 86_400 });
    now += 2 * DAY;
    await clean();
    expect(await store.runs.byId(run.id)).toBeNull();
    expect(logFolders()).toEqual([]);
  });

  it('a project may keep its events for less and for more time than the server', async () => {
    const other = randomUUID();
    const keys = { sshPublicKey: 'ssh-rsa AAAA', sshPrivateKey: 'private' };
    await store.projects.insert({
      ...{ id: other, name: 'other', ownerId: userId, isPublic: false, templatesRepo: null },
      ...{ createdAt: now, ...keys },
    });
    const of = (id: string): NewEvent => ({
      ...event(`of ${id}`),
      targets: [{ type: 'run', id: randomUUID(), name: 'x', projectId: id, parentId: null }],
    });
    const left = async () => {
      const page = { limit: 9, ascending: true } as const;
      return (await store.events.list({ visibleTo: null, page })).map(({ message }) => message);
    };
    await store.events.write([of(projectId), of(other)]);
    await store.retention.setOfProject(projectId, { ...UNSET, eventsSeconds: 86_400 });
    await store.retention.setOfProject(other, { ...UNSET, eventsSeconds: 60 * 86_400 });
    now += 2 * DAY;
    await clean();
    expect(await left()).toEqual([`of ${other}`]);
    now += 40 * DAY;
    await clean();
    expect(await left()).toEqual([`of ${other}`]);
    now += 20 * DAY;
    await clean();
    expect(await left()).toEqual([]);
  });

  it('absurd settings delete nothing that runs, and break no round', async () => {
    const { run } = await endedRun('service', now, 'running');
    now += 1000 * DAY;
    const names = ['RUNS', 'LOGS', 'UPLOADS', 'RECORDS', 'USAGE', 'EVENTS', 'METRICS_RUNNING'];
    for (const value of ['0', '1', '9007199254740991']) {
      const settings = names.map((name) => [`DSTACK_SERVER_${name}_TTL_SECONDS`, value] as const);
      expect(await clean(Object.fromEntries(settings))).toMatchObject({ runs: 0, logs: 0 });
    }
    expect((await store.runs.byId(run.id))?.jobs).toHaveLength(1);
    expect(logFolders()).toEqual(['service']);
  });

  it('a setting that a user changes holds from the next step on', async () => {
    const { run } = await endedRun('short', now);
    now += 2 * DAY;
    const rounds = makeRounds();
    await store.meta.set('retention', JSON.stringify({ at: now, deletesFrom: 0 }));
    await rounds.clean();
    expect(await store.runs.byId(run.id)).not.toBeNull();
    await store.retention.setOfProject(projectId, { ...UNSET, runsSeconds: 86_400 });
    await rounds.clean();
    await rounds.close();
    expect(await store.runs.byId(run.id)).toBeNull();
  });

  it('a server that is killed between the log and the row of a run continues there', async () => {
    const { run, jobId } = await endedRun('half', now);
    await logs.delete({ project: 'main', run: 'half', jobId });
    now += 366 * DAY;
    await clean();
    expect(await store.runs.byId(run.id)).toBeNull();
  });

  it('a step that fails does not keep the others, and is tried again', async () => {
    const { run } = await endedRun('stuck', now);
    await endedRun('stuck-too', now);
    now += 366 * DAY;
    const remove = logs.delete.bind(logs);
    logs.delete = () => Promise.reject(new Error('the disk does not answer'));
    await store.events.write([event('x')]);
    now += 31 * DAY;
    expect(await clean()).toMatchObject({ events: 1 });
    expect(await store.runs.byId(run.id)).not.toBeNull();
    logs.delete = remove;
    await clean();
    expect(await store.runs.byId(run.id)).toBeNull();
  });

  it('a log that cannot be deleted keeps no other log and no run, and is tried again', async () => {
    const old = await endedRun('old', now);
    const stuck = await endedRun('stuck', now);
    now += 366 * DAY;
    const remove = logs.delete.bind(logs);
    logs.delete = async (ref) => {
      if (ref.run === 'stuck') throw new Error('EPERM: operation not permitted');
      await remove(ref);
    };
    await clean();
    expect(logFolders()).toEqual(['stuck']);
    expect(await store.runs.byId(old.run.id)).toBeNull();
    expect(await store.runs.byId(stuck.run.id)).toBeNull();
    expect(await store.retention.pendingLogs(now, 9)).toEqual([]);
    logs.delete = remove;
    now += HOUR;
    expect(await store.retention.pendingLogs(now, 9)).toMatchObject([{ jobId: stuck.jobId }]);
    await clean();
    expect(logFolders()).toEqual([]);
  });

  it('a slow disk makes steps short, and everything is deleted in the end', async () => {
    for (const name of ['a', 'b', 'c']) await endedRun(name, now);
    now += 366 * DAY;
    const [remove, clock] = [logs.delete.bind(logs), performance.now];
    let later = 0;
    let deleted = 0;
    logs.delete = async (ref) => {
      later += 400;
      deleted += 1;
      await remove(ref);
    };
    performance.now = () => clock.call(performance) + later;
    onTestFinished(() => {
      performance.now = clock;
    });
    const most = new Map<string, number>();
    let before = 0;
    await clean({}, undefined, (name) => {
      most.set(name, Math.max(most.get(name) ?? 0, deleted - before));
      before = deleted;
    });
    expect(most.get('logs')).toBe(1);
    expect(most.get('runs')).toBe(1);
    expect(logFolders()).toEqual([]);
  });

  it('while no log can be deleted nothing is forgotten', async () => {
    const runs = [await endedRun('a', now), await endedRun('b', now)];
    now += 366 * DAY;
    const remove = logs.delete.bind(logs);
    logs.delete = () => Promise.reject(new Error('EIO: i/o error'));
    await clean();
    for (const { run } of runs) expect(await store.runs.byId(run.id)).not.toBeNull();
    logs.delete = remove;
    await clean();
    expect(logFolders()).toEqual([]);
  });

  it('an upload that cannot be deleted keeps no other one', async () => {
    const insert = (hash: string) =>
      store.files.insertArchive({
        ...{ id: randomUUID(), userId, hash, sha256: hash, size: 3, createdAt: now },
      });
    for (const hash of ['first', 'second']) await insert(hash);
    now += 91 * DAY;
    const blobs = fileBlobs(join(dir, 'blobs'));
    const gone: string[] = [];
    const remove = async (sha256: string, before: Timestamp) => {
      if (sha256 === 'first') throw new Error('EPERM: operation not permitted');
      gone.push(sha256);
      return await blobs.delete(sha256, before);
    };
    await clean({}, { ...blobs, delete: remove });
    expect(gone).toEqual(['second']);
    expect(await store.retention.pendingBlobs(now, 9)).toEqual([]);
    expect(await store.retention.pendingBlobs(now + 2 * DAY, 9)).toEqual(['first']);
  });

  it('deletes logs that no job names any more, unless they are young', async () => {
    const jobId = randomUUID();
    await logs.append({ project: 'main', run: 'lost', jobId }, 0, now, Buffer.from('x'));
    await endedRun('known', now + 60 * DAY);
    now = Date.now() * 1000 + 29 * DAY;
    await clean({ DSTACK_SERVER_LOGS_TTL_SECONDS: '0' });
    expect(logFolders().sort()).toEqual(['known', 'lost']);
    now += 2 * DAY;
    await clean({ DSTACK_SERVER_LOGS_TTL_SECONDS: '0' });
    expect(logFolders()).toEqual(['known']);
  });
});
