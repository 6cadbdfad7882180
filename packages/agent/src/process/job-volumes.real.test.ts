import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canIsolate, IsolatedJobs } from '../testing/isolated-jobs.ts';

describe.skipIf(!canIsolate)('volumes of process jobs', () => {
  let jobs: IsolatedJobs;
  let id: string;
  beforeEach(async () => {
    jobs = await IsolatedJobs.start();
    id = randomUUID();
    const body = { path: null, name: 'data', project: 'main' };
    expect((await jobs.agent.call('PUT', `/v1/volumes/${id}`, body)).status).toBe(204);
  });
  afterEach(() => jobs.close());
  const mounts = (target: string, more = {}) => ({
    mounts: [
      {
        source: '',
        target,
        read_only: false,
        optional: false,
        volume: { id, path: null, device: null },
        ...more,
      },
    ],
  });
  const remove = () => jobs.agent.call('POST', `/v1/volumes/${id}/delete`, { path: null });

  it('keep the files of a job for the next one, which has another user', async () => {
    const first = await jobs.run(
      ['mkdir /mnt/deep', 'echo one > /mnt/deep/file', 'id -u'],
      mounts('/mnt'),
    );
    const second = await jobs.run(
      ['id -u', 'echo two >> /mnt/deep/file', 'echo x > /mnt/deep/new', 'cat /mnt/deep/file'],
      mounts('/mnt'),
    );
    expect(first.text.trim()).toBe(String(jobs.first));
    expect(second.text).toBe(`${jobs.first + 1}\none\ntwo\n`);
    expect(existsSync('/mnt/deep')).toBe(false);
  });

  it('are read-only if the job requests that', async () => {
    const { text } = await jobs.run(
      ['echo x > /mnt/f || echo no'],
      mounts('/mnt', { read_only: true }),
    );
    expect(text).toMatch(/Read-only file system\nno/);
  });

  it('are not deleted during a job, and are deleted after it', async () => {
    const job = await jobs.begin(
      ['echo kept > /mnt/file', 'echo ready', 'sleep 100000'],
      mounts('/mnt'),
    );
    const data = join(jobs.agent.state, 'volumes', id, 'data');
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('kept\n');
    expect((await remove()).body).toMatchObject({ code: 'volume_in_use' });
    await jobs.stopAndRemove(job.id);
    expect((await remove()).body).toEqual({ deleted: true });
    expect(existsSync(data)).toBe(false);
    const { state } = await jobs.run(['echo ran'], mounts('/mnt'));
    expect(state.exit).toMatchObject({ status: null, reason: 'volume_error' });
  });
});
