import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JobFolder } from '../executor/job-folder.ts';
import { placeJobFiles } from '../files/place-job-files.ts';
import { jobSpec } from '../testing/agent-harness.ts';
import { tarOf } from '../testing/hostile-tar.ts';
import { canIsolate } from '../testing/isolated-jobs.ts';
import { freeUids } from '../testing/test-uids.ts';
import { JobUsers } from './isolation/job-users.ts';
import { type ProcessJobSetup, prepareLaunch } from './prepare-launch.ts';

describe.skipIf(!canIsolate)('preparing a process job with a user of its own', () => {
  let root: string;
  let open: string;
  beforeEach(() => {
    root = mkdtempSync('/var/lib/dstack-test-');
    chmodSync(root, 0o711);
    open = join(root, 'open');
    mkdirSync(open);
    chmodSync(open, 0o1777);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('begins anew after an interrupted attempt, and recognises the files that it has placed', async () => {
    const homes = join(root, 'homes/server');
    const users = new JobUsers({ uids: freeUids(1), homes });
    const setup: ProcessJobSetup = {
      terminal: 'pipes',
      users,
      placeFiles: placeJobFiles,
      forbiddenMounts: [],
      volumes: undefined,
      container: null,
      canMount: () => true,
    };
    const path = join(open, 'data');
    const archive = { id: 'a', path, sha256: '' };
    const spec = jobSpec(['true'], { file_archives: [archive] });
    const folder = new JobFolder(join(root, 'state/jobs'), spec.id, join(root, 's'), homes);
    folder.make();
    writeFileSync(folder.archive('a'), tarOf([{ name: 'top', content: 'text' }]));
    const job = { spec, folder, cluster: null, gpus: [] };
    const { signal } = new AbortController();
    await prepareLaunch(job, setup, signal);
    writeFileSync(join(folder.home, 'left'), '');
    await prepareLaunch(job, setup, signal);
    expect(readFileSync(path, 'utf8')).toBe('text');
    expect(existsSync(join(folder.home, 'left'))).toBe(false);
    await users.release(job);
    expect(existsSync(homes)).toBe(false);
  });
});
