/** Retention on a disk without a free byte: it is what should make room there. */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NewEvent, SECOND } from '@dstack/core';
import { jobRecord, runRecord } from '@dstack/core/testing';
import { openStore, type Store } from '@dstack/store';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileBlobs } from '../blobs/file-blobs.ts';
import { createCipher } from '../config/cipher.ts';
import { FileLogStore } from '../logs/file/file-log-store.ts';
import { retentionSettings } from './retention-settings.ts';
import { RetentionRounds } from './rounds.ts';
import { retentionSteps } from './steps.ts';
import { StrayLogs } from './stray-logs.ts';

const DAY = 86_400 * SECOND;
const NOW = 1_800_000_000 * SECOND;
const now = () => NOW;
const DUE = 60;
const YOUNG = 6;
const OUTPUT = Buffer.from('a line of output\n'.repeat(300));

const missing = mountMissing();
if (missing) console.warn(`Retention on a full disk is NOT tested: ${missing}`);

function mountMissing(): string | null {
  if (process.getuid?.() !== 0) return 'only root can make a small disk';
  const probe = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'x', '/mnt']);
  return probe.status === 0 ? null : 'this computer does not allow mounts';
}

const event: NewEvent = {
  ...{ action: 'legacy', data: { text: 'x' }, outcome: 'done', actor: null, targets: [] },
};

describe.skipIf(missing !== null)('on a full disk', () => {
  let disk: string;
  let store: Store;
  let logs: FileLogStore;
  let projectId: string;
  let warnings: string[];
  const log = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) });

  const open = () =>
    openStore({
      ...{ url: `sqlite:///${disk}/dstack.db`, now, newId: randomUUID, logger: log },
      cipher: createCipher([]),
    });

  beforeEach(async () => {
    warnings = [];
    disk = mkdtempSync(join(tmpdir(), 'full-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'small', disk]);
    store = await open();
    logs = new FileLogStore({
      ...{ root: join(disk, 'logs'), now, quotaPerHour: 0, onQuota: () => {} },
      onSyncError: () => {},
    });
  });
  afterEach(async () => {
    await logs.close();
    await store.close();
    execFileSync('umount', ['-l', disk]);
    rmSync(disk, { recursive: true });
  });

  function fill(): void {
    for (let size = 1 << 20; size >= 1; size >>= 1) {
      try {
        for (;;) appendFileSync(join(disk, 'ballast'), Buffer.alloc(size));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
  }

  /** Ended runs with a job and its output; each third due one was deleted by a user. */
  async function makeRuns() {
    const userId = randomUUID();
    projectId = randomUUID();
    const keys = { sshPublicKey: 'ssh-rsa AAAA', sshPrivateKey: 'private' };
    await store.users.insert({
      ...{ id: userId, name: 'ann', globalRole: 'user', email: null, active: true },
      ...{ createdAt: 1, token: 'token', ...keys },
    });
    await store.projects.insert({
      ...{ id: projectId, name: 'main', ownerId: userId, isPublic: false, templatesRepo: null },
      ...{ createdAt: 1, ...keys },
    });
    const made = [];
    for (let n = 0; n < DUE + YOUNG; n++) {
      const isDue = n < DUE;
      const at = NOW - (isDue ? 400 : 10) * DAY;
      const name = `run-${n}`;
      const run = runRecord({
        ...{ id: randomUUID(), projectId, userId, name, status: 'done', version: 0 },
        ...{ submittedAt: at, lastProcessedAt: at, nextPassAt: null },
      });
      const times = { submittedAt: at, provisionedAt: at, finishedAt: at };
      const job = jobRecord({ id: randomUUID(), status: 'done', version: 0, ...times }, run);
      await store.engine.submitRun({
        ...{ projectId, name: { exact: name }, build: () => ({ run, jobs: [job] }) },
        superseded: () => event,
      });
      const ref = { project: 'main', run: name, jobId: job.id };
      await logs.append(ref, 0, at, OUTPUT);
      await logs.sync([ref]);
      if (isDue && n % 3 === 0) await store.runs.delete(projectId, [name], () => event);
      made.push({ runId: run.id, ref, isDue });
    }
    await store.meta.set('retention', JSON.stringify({ at: NOW, deletesFrom: 0 }));
    return made;
  }

  async function clean(onStep: () => void): Promise<void> {
    const policy = retentionSettings({});
    const root = join(disk, 'logs');
    const strays = new StrayLogs({ retention: store.retention, logs, root });
    const blobs = fileBlobs(join(disk, 'blobs'));
    const rounds = new RetentionRounds({
      ...{ store, log, owner: 'test', now, events: policy.events, restFactor: 0, onStep },
      steps: retentionSteps({ store, logs, blobs, strays, policy, log }),
    });
    await rounds.clean();
    await rounds.close();
  }

  it('deletes nothing by halves, reports what it could not do, and does it when there is room', async () => {
    const made = await makeRuns();
    // The next write needs a new file beside the database.
    await store.close();
    store = await open();
    fill();
    // Whatever is deleted, others write at once into the room that it has made.
    await clean(fill);
    let left = 0;
    for (const { runId, ref, isDue } of made) {
      const run = await store.runs.byId(runId);
      const job = (await store.jobs.byIds([ref.jobId]))[0] ?? null;
      expect([run === null, isDue || run !== null]).toEqual([job === null, true]);
      if (!isDue) expect(await logs.length(ref)).toBe(OUTPUT.length);
      if (isDue && run !== null) left += 1;
    }
    if (left > 0) expect(warnings.join('')).toMatch(/could not be deleted.*/);
    expect(left).toBeGreaterThan(0);
    rmSync(join(disk, 'ballast'));
    await clean(() => {});
    for (const { runId, ref, isDue } of made) {
      expect((await store.runs.byId(runId)) === null).toBe(isDue);
      expect(await logs.length(ref)).toBe(isDue ? 0 : OUTPUT.length);
    }
    expect(await store.retention.pendingLogs(NOW + DAY, 9)).toEqual([]);
  });
});
