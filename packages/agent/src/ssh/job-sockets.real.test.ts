import { once } from 'node:events';
import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JobRoot } from '../executor/session-host.ts';
import { listenOnSocket } from './job-sockets.ts';

const isRoot = process.getuid?.() === 0;
const JOB = { uid: 1_234_567, gid: 1_234_567 };

describe.skipIf(!isRoot)('a socket that is made for a job among its files', () => {
  let dir: string;
  let own: string;
  const root: JobRoot = { path: '/', hostUid: (id) => id, hostGid: (id) => id, owner: JOB.uid };
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'job-sockets-'));
    own = join(dir, 'own');
    mkdirSync(own);
    chownSync(own, JOB.uid, JOB.gid);
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('belongs to the job, and no other user may connect', async () => {
    const listener = await listenOnSocket(root, join(own, 'a'), JOB, () => {});
    const { uid, gid, mode } = statSync(join(own, 'a'));
    expect([uid, gid, mode & 0o777]).toEqual([JOB.uid, JOB.gid, 0o600]);
    listener.close();
  });

  it('does not change the owner of another socket that the job puts in its place meanwhile', async () => {
    const others = join(dir, 'others');
    mkdirSync(others);
    const daemon = createServer().listen(join(others, 'a'));
    await once(daemon, 'listening');
    const listening = listenOnSocket(root, join(own, 'a'), JOB, () => {});
    renameSync(own, join(dir, 'aside'));
    symlinkSync(others, own);
    const listener = await listening;
    expect(statSync(join(others, 'a'))).toMatchObject({ uid: 0, gid: 0 });
    expect(statSync(join(dir, 'aside/a')).uid).toBe(JOB.uid);
    listener.close();
    expect(statSync(join(others, 'a')).isSocket()).toBe(true);
    await new Promise((resolve) => daemon.close(resolve));
  });

  it('is refused where it would lie in a directory of others', async () => {
    await expect(listenOnSocket(root, join(dir, 'a'), JOB, () => {})).rejects.toThrow('belong');
  });

  it('is refused at an existing path', async () => {
    mkdirSync(join(own, 'a'));
    await expect(listenOnSocket(root, join(own, 'a'), JOB, () => {})).rejects.toThrow('EADDRINUSE');
  });
});
